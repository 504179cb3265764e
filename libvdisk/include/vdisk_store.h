/* libvdisk, the C interface: storage of the caller. Included by vdisk.h. */
#ifndef VDISK_STORE_H
#define VDISK_STORE_H

#include <stddef.h>
#include <stdint.h>

/* ---- Storage of the caller ----------------------------------------------------------------- */

/**
 * One open file of the caller. The functions return 0, or an errno value (EIO, ENOSPC ...); they
 * are called from several threads at once. Only `zero`, `punch` and `close` may be NULL.
 * `read` fills all of `data`, or fails; ENODATA means behind the end. `write` and `zero` extend
 * the file. What flush acknowledged must survive. A failure comes back as the status that fits its
 * number (ENOSPC: VDISK_NO_SPACE); one of `read` and `size` as VDISK_IO or VDISK_NO_MEMORY. The
 * number itself: vdisk_error_os_error().
 */
typedef struct vdisk_file_calls {
  size_t struct_size;
  int (*read)(void* file, uint64_t offset, void* data, size_t length);
  int (*write)(void* file, uint64_t offset, const void* data, size_t length);
  int (*zero)(void* file, uint64_t offset, uint64_t length);
  int (*punch)(void* file, uint64_t offset, uint64_t length);
  int (*size)(void* file, uint64_t* size);
  int (*resize)(void* file, uint64_t size);
  int (*flush)(void* file);
  void (*close)(void* file);
} vdisk_file_calls;

/**
 * Where images and parents are found instead of in the host's file system. Names are absolute
 * paths with '/', without "." and "..". `open` returns ENOENT for a name that is not there, EBUSY
 * for one in use. The same name must give the same `id`, another one another, as long as a file
 * of it is open. `create` makes a nameless file beside `name`; `publish` gives it the name, at once
 * and durably (EEXIST when it is taken and `replace` is 0); a file that is closed unpublished is
 * forgotten. `create`, `publish` and `remove` may be NULL for storage that is only read or
 * written in place. The structure and `context` must outlive every object made with them.
 *
 * `list` tells what lies in a directory: it hands each name (without the directory) and whether it
 * is a directory itself to `add`, with the `names` that it was given, and keeps neither. A
 * directory that does not exist has no names, or ENOENT. Only so the library knows which other
 * images depend on one. A store whose `list` is NULL, or whose structure ends before it, works, but
 * what could make such images invalid, or needs to find them, is VDISK_UNSUPPORTED: vdisk_merge
 * without `force_siblings`, vdisk_expand, vdisk_shrink, vdisk_resize, vdisk_metadata_set and
 * _remove of items of the virtual disk without `force`, vdisk_tree, vdisk_relink. A caller who
 * knows that nothing else lies there offers a `list` that adds nothing.
 */
typedef struct vdisk_store {
  size_t struct_size;
  void* context;
  const vdisk_file_calls* file;
  int (*open)(void* context, const char* name, int writable, void** file, uint64_t* id);
  int (*create)(void* context, const char* name, void** file, uint64_t* id);
  int (*publish)(void* context, void* file, const char* name, int replace);
  int (*remove)(void* context, const char* name);
  int (*list)(void* context, const char* directory,
              void (*add)(void* names, const char* name, int is_directory), void* names);
} vdisk_store;

#endif
