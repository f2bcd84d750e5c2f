/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_MAP_OBJECT_H
#define BPFMARK_BPF_SHARED_MAP_OBJECT_H

/* Commands of ioctl() that no device knows, each of which one program takes for its own. */
#define BPFMARK_INODE_GET 0x62706d01
#define BPFMARK_INODE_CREATE 0x62706d02
#define BPFMARK_INODE_FLOOR 0x62706d03

#endif
