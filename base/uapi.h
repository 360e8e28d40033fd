/* SPDX-License-Identifier: MIT */
/* Kernel interfaces newer than the distribution's headers (6.1), declared once. */
#ifndef WARM_BASE_UAPI_H
#define WARM_BASE_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* PAGEMAP_SCAN, Linux 6.7: Documentation/admin-guide/mm/pagemap.rst */
#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN       _IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_WPALLOWED  (1 << 0)
#define PAGE_IS_WRITTEN    (1 << 1)
#define PAGE_IS_FILE       (1 << 2)
#define PAGE_IS_PRESENT    (1 << 3)
#define PAGE_IS_SWAPPED    (1 << 4)
#define PAGE_IS_PFNZERO    (1 << 5)
#define PAGE_IS_HUGE       (1 << 6)
#define PAGE_IS_SOFT_DIRTY (1 << 7)

struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};
#endif
#ifndef PAGE_IS_GUARD
#define PAGE_IS_GUARD (1 << 8) /* Linux 6.15 */
#endif

/* UFFDIO_MOVE, Linux 6.8: ioctl_userfaultfd(2) */
#ifndef UFFDIO_MOVE
#define UFFDIO_MOVE _IOWR(0xAA, 0x05, struct uffdio_move)
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};
#endif
#define UFFD_FEATURE_MOVE_BIT (1 << 16)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13: madvise(2) */
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* Linux 6.11: mmap(2) */
#endif
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, __u64)
#endif
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS     77 /* Linux 6.15 */
#define PR_TIMER_CREATE_RESTORE_IDS_GET 2
#endif

#ifndef PR_GET_MDWE
#define PR_SET_MDWE 65 /* Linux 6.3 */
#define PR_GET_MDWE 66
#endif
#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x00002000 /* Linux 6.13: fanotify_init(2) */
#endif
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* Linux 6.5: name_to_handle_at(2) */
#endif
#define MEMBARRIER_CMD_GET_REGISTRATIONS 512 /* Linux 6.3: membarrier(2) */

/* Socket options: <asm-generic/socket.h>, <linux/in.h>, <linux/tcp.h> of 6.18 */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef SO_INQ
#define SO_INQ 84
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

#endif
