// SPDX-License-Identifier: BSD-2-Clause
// One kernel function (kfunc), or a pair that undoes what it did, per program: k_<name>, and
// f_<name>, its floor twin. The symbols are weak: a kernel without one refuses that program only.
#include "bpf/lib/batch.bpf.h"

#include <bpf/bpf_core_read.h>

#include "bpf/shared/helper.h"

/* A floor has the locals of its subject, and no use for them. */
#pragma clang diagnostic ignored "-Wunused-variable"

struct task_struct {
  int tgid;
} __attribute__((preserve_access_index));
struct bpf_cpumask {
  int usage;
} __attribute__((preserve_access_index));
struct bpf_res_spin_lock {
  __u32 val;
};

extern struct task_struct* bpf_task_acquire(struct task_struct* task) __ksym __weak;
extern struct task_struct* bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct* task) __ksym __weak;
extern struct bpf_cpumask* bpf_cpumask_create(void) __ksym __weak;
extern void bpf_cpumask_release(struct bpf_cpumask* mask) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;
extern void bpf_local_irq_save(unsigned long* flags) __ksym __weak;
extern void bpf_local_irq_restore(unsigned long* flags) __ksym __weak;
extern void* bpf_obj_new_impl(__u64 local_type_id, void* meta) __ksym __weak;
extern void bpf_obj_drop_impl(void* object, void* meta) __ksym __weak;
extern int bpf_res_spin_lock(struct bpf_res_spin_lock* lock) __ksym __weak;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock* lock) __ksym __weak;
extern int bpf_strlen(const char* text) __ksym __weak;
extern int bpf_strcmp(const char* left, const char* right) __ksym __weak;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr* dynptr) __ksym __weak;

/* Set by user space. */
__s32 own_pid;

char text[BPFMARK_STRING_BYTES] = BPFMARK_STRING;
char same_text[BPFMARK_STRING_BYTES] = BPFMARK_STRING;

#define KFUNC(section, context, name, prepare, operation, good)           \
  TIMED_PROGRAM("?" section, context, k_##name, prepare, operation, good) \
  TIMED_PROGRAM("?" section, context, f_##name, prepare, BPFMARK_NOTHING, value == 1)
#define TC_KFUNC(name, prepare, operation, good) \
  KFUNC("tc", struct __sk_buff, name, prepare, operation, good)
#define SYSCALL_KFUNC(name, prepare, operation, good) \
  KFUNC("syscall", void, name, prepare, operation, good)

TC_KFUNC(dynptr_size, struct bpf_dynptr dynptr; bpf_dynptr_from_mem(text, sizeof(text), 0, &dynptr),
                                                value = bpf_dynptr_size(&dynptr),
                                                value == BPFMARK_STRING_BYTES)
TC_KFUNC(strlen, , value = bpf_strlen(text), value == BPFMARK_STRING_BYTES - 1)
TC_KFUNC(strcmp, , value = bpf_strcmp(text, same_text), value == 0)
SYSCALL_KFUNC(rcu_pair, , bpf_rcu_read_lock(); bpf_rcu_read_unlock(); BPFMARK_NOTHING, value == 1)
TC_KFUNC(preempt_pair, , bpf_preempt_disable(); bpf_preempt_enable(); BPFMARK_NOTHING, value == 1)
TC_KFUNC(irq_pair, unsigned long flags, bpf_local_irq_save(&flags); bpf_local_irq_restore(&flags);
         BPFMARK_NOTHING, value == 1)

struct guarded {
  struct bpf_res_spin_lock lock;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct guarded);
} guarded SEC(".maps");

#define GUARDED                                             \
  __u32 zero = 0;                                           \
  struct guarded* g = bpf_map_lookup_elem(&guarded, &zero); \
  if (!g) return 1
#define LOCKED                         \
  value = bpf_res_spin_lock(&g->lock); \
  if (value == 0) {                    \
    bpf_res_spin_unlock(&g->lock);     \
    value = 1;                         \
  } else {                             \
    value = 0;                         \
  }
TC_KFUNC(res_spin_lock, GUARDED, LOCKED, value == 1)

struct object {
  __u64 word;
};
TC_KFUNC(obj_pair, ,
         struct object* object = bpf_obj_new_impl(bpf_core_type_id_local(struct object), 0);
         value = object != 0; if (object) bpf_obj_drop_impl(object, 0), value == 1)
SYSCALL_KFUNC(cpumask_pair, , struct bpf_cpumask* mask = bpf_cpumask_create(); value = mask != 0;
              if (mask) bpf_cpumask_release(mask), value == 1)

#define RELEASED(acquire)             \
  struct task_struct* task = acquire; \
  value = 0;                          \
  if (task) {                         \
    value = (__u32)task->tgid;        \
    bpf_task_release(task);           \
  }
SYSCALL_KFUNC(task_acquire, , RELEASED(bpf_task_acquire((void*)bpf_get_current_task_btf())),
              value != 0)
SYSCALL_KFUNC(task_from_pid, , RELEASED(bpf_task_from_pid(own_pid)), value != 0)
