// SPDX-License-Identifier: BSD-2-Clause
// What is kept besides plain values: storage of tasks, sockets, cgroups and inodes, lists and trees
// of objects, a pointer to one.
#include <stdbool.h>

#include "bpf/lib/keys.bpf.h"
#include "bpf/shared/map_object.h"

#include <bpf/bpf_core_read.h>

#define TC_PROGRAM(name, prepare, operation) \
  KEYED_PROGRAM("?tc", struct __sk_buff, name, prepare, operation)
#define RAW_TP_PROGRAM(name, prepare, operation) \
  KEYED_PROGRAM("?raw_tp", void, name, prepare, operation)

#define COUNT_WORD \
  sum += word;     \
  hits++

/* --- storage: found by its owner, which the program has at hand */

#define STORAGE(map_name, map_type)       \
  struct {                                \
    __uint(type, map_type);               \
    __uint(map_flags, BPF_F_NO_PREALLOC); \
    __type(key, int);                     \
    __type(value, __u64);                 \
  } map_name SEC(".maps")

STORAGE(of_tasks, BPF_MAP_TYPE_TASK_STORAGE);
STORAGE(of_sockets, BPF_MAP_TYPE_SK_STORAGE);
STORAGE(of_cgroups, BPF_MAP_TYPE_CGRP_STORAGE);
STORAGE(of_inodes, BPF_MAP_TYPE_INODE_STORAGE);

struct cgroup {
} __attribute__((preserve_access_index));
struct css_set {
  struct cgroup* dfl_cgrp;
} __attribute__((preserve_access_index));
struct task_struct {
  struct css_set* cgroups;
} __attribute__((preserve_access_index));
struct inode {
} __attribute__((preserve_access_index));
struct file {
  struct inode* f_inode;
} __attribute__((preserve_access_index));

/* What the operation before has left is added up, and the next word left behind. */
#define TAKE_AND_LEAVE(left) \
  hits++;                    \
  sum += left;               \
  left = word

#define GET_STORAGE(get, map, owner)                                  \
  __u64* value = get(&map, owner, 0, BPF_LOCAL_STORAGE_GET_F_CREATE); \
  if (value) {                                                        \
    TAKE_AND_LEAVE(*value);                                           \
  }

#define CREATE_DELETE_STORAGE(get, drop, map, owner) \
  GET_STORAGE(get, map, owner)                       \
  if (drop(&map, owner) != 0) hits = 0

#define TASK struct task_struct* task = bpf_get_current_task_btf()
#define CGROUP \
  TASK;        \
  struct cgroup* cgroup = task->cgroups->dfl_cgrp
#define SOCKET                        \
  struct __sk_buff* skb = state->ctx; \
  struct bpf_sock* sk = skb->sk;      \
  if (!sk) return 1;                  \
  sk = bpf_sk_fullsock(sk);           \
  if (!sk) return 1

RAW_TP_PROGRAM(task_get, TASK, GET_STORAGE(bpf_task_storage_get, of_tasks, task))
RAW_TP_PROGRAM(task_create, TASK,
               CREATE_DELETE_STORAGE(bpf_task_storage_get, bpf_task_storage_delete, of_tasks, task))
RAW_TP_PROGRAM(cgroup_get, CGROUP, GET_STORAGE(bpf_cgrp_storage_get, of_cgroups, cgroup))
RAW_TP_PROGRAM(cgroup_create, CGROUP,
               CREATE_DELETE_STORAGE(bpf_cgrp_storage_get, bpf_cgrp_storage_delete, of_cgroups,
                                     cgroup))
TC_PROGRAM(sk_get, SOCKET, GET_STORAGE(bpf_sk_storage_get, of_sockets, sk))
TC_PROGRAM(sk_create, SOCKET,
           CREATE_DELETE_STORAGE(bpf_sk_storage_get, bpf_sk_storage_delete, of_sockets, sk))
RAW_TP_PROGRAM(floor_task, TASK; BPFMARK_OPAQUE(task), COUNT_WORD)
RAW_TP_PROGRAM(floor_cgroup, CGROUP; BPFMARK_OPAQUE(cgroup), COUNT_WORD)
TC_PROGRAM(floor_sk, SOCKET; BPFMARK_OPAQUE(sk), COUNT_WORD)
TC_PROGRAM(floor_word, , COUNT_WORD)

/* Its helpers are for LSM programs, which no test-run starts: these wait for an ioctl() of their
 * own number, and find the inode of its file. */
#define LSM_PROGRAM(name, prepare, operation, command)                           \
  KEYED_BODY(name, prepare, operation)                                           \
  SEC("?lsm/file_ioctl") int name(__u64* ctx) {                                  \
    return (__u32)ctx[1] == (command) ? run_timed_loop_on(ctx, name##_body) : 0; \
  }

#define INODE                                     \
  struct file* file = *(struct file**)state->ctx; \
  struct inode* inode = file->f_inode;            \
  if (!inode) return 1

LSM_PROGRAM(inode_get, INODE, GET_STORAGE(bpf_inode_storage_get, of_inodes, inode),
            BPFMARK_INODE_GET)
LSM_PROGRAM(inode_create, INODE,
            CREATE_DELETE_STORAGE(bpf_inode_storage_get, bpf_inode_storage_delete, of_inodes,
                                  inode),
            BPFMARK_INODE_CREATE)
LSM_PROGRAM(floor_inode, INODE; BPFMARK_OPAQUE(inode), COUNT_WORD, BPFMARK_INODE_FLOOR)

/* --- lists and trees: an object is taken off and put back, each under the lock */

extern void* bpf_obj_new_impl(__u64 local_type_id, void* meta) __ksym __weak;
extern void bpf_obj_drop_impl(void* kptr, void* meta) __ksym __weak;
extern int bpf_list_push_back_impl(struct bpf_list_head* head, struct bpf_list_node* node,
                                   void* meta, __u64 off) __ksym __weak;
extern struct bpf_list_node* bpf_list_pop_front(struct bpf_list_head* head) __ksym __weak;
extern struct bpf_rb_node* bpf_rbtree_remove(struct bpf_rb_root* root,
                                             struct bpf_rb_node* node) __ksym __weak;
extern int bpf_rbtree_add_impl(struct bpf_rb_root* root, struct bpf_rb_node* node,
                               bool (*less)(struct bpf_rb_node*, const struct bpf_rb_node*),
                               void* meta, __u64 off) __ksym __weak;
extern struct bpf_rb_node* bpf_rbtree_first(struct bpf_rb_root* root) __ksym __weak;

#define OWNS(type, member) __attribute__((btf_decl_tag("contains:" #type ":" #member)))
#define ALIGNED __attribute__((aligned(8)))
#define PRIVATE(name) SEC(".data." #name) __hidden ALIGNED
#define OBJECT_OF(pointer, type, member) \
  ((type*)((void*)(pointer) - __builtin_offsetof(type, member)))
#define NEW(type) ((type*)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

struct listed {
  __u64 number;
  struct bpf_list_node node;
};

struct sorted {
  __u64 number;
  struct bpf_rb_node node;
};

PRIVATE(list) struct bpf_spin_lock list_lock;
PRIVATE(list) struct bpf_list_head list OWNS(listed, node);
PRIVATE(tree) struct bpf_spin_lock tree_lock;
PRIVATE(tree) struct bpf_rb_root tree OWNS(sorted, node);

static bool less(struct bpf_rb_node* a, const struct bpf_rb_node* b) {
  return OBJECT_OF(a, struct sorted, node)->number < OBJECT_OF(b, struct sorted, node)->number;
}

/* Puts one object into each, so that there is always one to take. */
SEC("?tc")
int fill_list(struct __sk_buff* ctx) {
  struct listed* object = NEW(struct listed);
  if (!object) return 1;
  object->number = 0;
  bpf_spin_lock(&list_lock);
  bpf_list_push_back_impl(&list, &object->node, 0, 0);
  bpf_spin_unlock(&list_lock);
  return 0;
}

SEC("?tc")
int fill_tree(struct __sk_buff* ctx) {
  struct sorted* object = NEW(struct sorted);
  if (!object) return 1;
  object->number = 0;
  bpf_spin_lock(&tree_lock);
  bpf_rbtree_add_impl(&tree, &object->node, less, 0, 0);
  bpf_spin_unlock(&tree_lock);
  return 0;
}

#define MOVE_IN_LIST                                              \
  bpf_spin_lock(&list_lock);                                      \
  struct bpf_list_node* node = bpf_list_pop_front(&list);         \
  bpf_spin_unlock(&list_lock);                                    \
  if (node) {                                                     \
    struct listed* object = OBJECT_OF(node, struct listed, node); \
    TAKE_AND_LEAVE(object->number);                               \
    bpf_spin_lock(&list_lock);                                    \
    bpf_list_push_back_impl(&list, &object->node, 0, 0);          \
    bpf_spin_unlock(&list_lock);                                  \
  }

#define MOVE_IN_TREE                                              \
  bpf_spin_lock(&tree_lock);                                      \
  struct bpf_rb_node* node = bpf_rbtree_first(&tree);             \
  if (node) node = bpf_rbtree_remove(&tree, node);                \
  bpf_spin_unlock(&tree_lock);                                    \
  if (node) {                                                     \
    struct sorted* object = OBJECT_OF(node, struct sorted, node); \
    TAKE_AND_LEAVE(object->number);                               \
    bpf_spin_lock(&tree_lock);                                    \
    bpf_rbtree_add_impl(&tree, &object->node, less, 0, 0);        \
    bpf_spin_unlock(&tree_lock);                                  \
  }

TC_PROGRAM(list_move, , MOVE_IN_LIST)
TC_PROGRAM(tree_move, , MOVE_IN_TREE)

/* --- a pointer in a map: exchanged for nothing, and put back */

struct bpfmark_held {
  __u64 number;
};

struct holder {
  struct bpfmark_held __kptr* held;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct holder);
} holders SEC(".maps");

#define HOLDER                                                   \
  const __u32 first = 0;                                         \
  struct holder* holder = bpf_map_lookup_elem(&holders, &first); \
  if (!holder) return 1

SEC("?tc")
int fill_kptr(struct __sk_buff* ctx) {
  HOLDER;
  struct bpfmark_held* object = NEW(struct bpfmark_held);
  if (!object) return 1;
  object->number = 0;
  object = bpf_kptr_xchg(&holder->held, object);
  if (object) bpf_obj_drop_impl(object, 0);
  return 0;
}

#define TAKE_AND_PUT                                             \
  struct bpfmark_held* object = bpf_kptr_xchg(&holder->held, 0); \
  if (object) {                                                  \
    TAKE_AND_LEAVE(object->number);                              \
    object = bpf_kptr_xchg(&holder->held, object);               \
    if (object) bpf_obj_drop_impl(object, 0);                    \
  }

TC_PROGRAM(kptr_move, HOLDER, TAKE_AND_PUT)
TC_PROGRAM(floor_kptr, HOLDER; BPFMARK_OPAQUE(holder), COUNT_WORD)
