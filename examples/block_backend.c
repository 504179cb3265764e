/*
 * What a hypervisor's block backend does: the map from libvdisk, the payload by io_uring.
 *
 *   cc block_backend.c $(pkg-config --cflags --libs vdisk liburing) -o block_backend
 *   ./block_backend IMAGE.vhdx
 *
 * Writes a pattern over the first MiB and reads it back. A write asks for a place (reserve), writes
 * there, and makes it visible (commit); a read asks the map, layer by layer already resolved. The
 * guest's flush is vdisk_disk_flush: it makes payload and map durable in the right order. Where the
 * kernel offers no io_uring, pread and pwrite serve.
 */
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vdisk.h"

enum { request_size = 64 * 1024, requests = 16, queue_depth = 16 };

typedef struct backend {
  vdisk_disk *disk;
  struct io_uring ring;
  int has_ring;
} backend;

/* Moves all of `length` bytes; 0 or -1. */
static int transfer(backend *of, int descriptor, unsigned char *data, size_t length,
                    uint64_t offset, int is_write) {
  while (length > 0) {
    long moved;
    if (of->has_ring) {
      struct io_uring_cqe *done = NULL;
      struct io_uring_sqe *request = io_uring_get_sqe(&of->ring);
      if (is_write) {
        io_uring_prep_write(request, descriptor, data, (unsigned)length, offset);
      } else {
        io_uring_prep_read(request, descriptor, data, (unsigned)length, offset);
      }
      if (io_uring_submit_and_wait(&of->ring, 1) < 0) return -1;
      if (io_uring_wait_cqe(&of->ring, &done) < 0) return -1;
      moved = done->res;
      io_uring_cqe_seen(&of->ring, done);
    } else {
      moved = is_write ? pwrite(descriptor, data, length, (off_t)offset)
                       : pread(descriptor, data, length, (off_t)offset);
    }
    if (moved <= 0) return -1;
    data += moved;
    offset += (uint64_t)moved;
    length -= (size_t)moved;
  }
  return 0;
}

/* A guest's write of whole sectors. */
static int backend_write(backend *of, uint64_t offset, unsigned char *data, uint64_t length) {
  const int descriptor = vdisk_disk_layer_descriptor(of->disk, 0);
  while (length > 0) {
    vdisk_extent place;
    if (vdisk_disk_reserve(of->disk, offset, length, &place, NULL) != VDISK_SUCCESS) return -1;
    if (transfer(of, descriptor, data, place.length, place.file_offset, 1) != 0) return -1;
    if (vdisk_disk_commit(of->disk, &place, NULL) != VDISK_SUCCESS) return -1;
    offset += place.length;
    data += place.length;
    length -= place.length;
  }
  return 0;
}

static int backend_read(backend *of, uint64_t offset, unsigned char *data, uint64_t length) {
  while (length > 0) {
    vdisk_extent extent;
    if (vdisk_disk_map(of->disk, offset, length, &extent, NULL) != VDISK_SUCCESS) return -1;
    if (extent.state == VDISK_DATA) {
      const int descriptor = vdisk_disk_layer_descriptor(of->disk, extent.depth);
      if (transfer(of, descriptor, data, extent.length, extent.file_offset, 0) != 0) return -1;
    } else {
      memset(data, 0, extent.length);
    }
    offset += extent.length;
    data += extent.length;
    length -= extent.length;
  }
  return 0;
}

static int run(backend *of) {
  unsigned char *data = malloc(request_size);
  int result = data == NULL ? -1 : 0;
  for (int index = 0; index < requests && result == 0; ++index) {
    memset(data, index + 1, request_size);
    result = backend_write(of, (uint64_t)index * request_size, data, request_size);
  }
  if (result == 0 && vdisk_disk_flush(of->disk, NULL) != VDISK_SUCCESS) result = -1;
  for (int index = 0; index < requests && result == 0; ++index) {
    result = backend_read(of, (uint64_t)index * request_size, data, request_size);
    for (size_t at = 0; at < request_size && result == 0; ++at) {
      if (data[at] != index + 1) result = -1;
    }
  }
  free(data);
  return result;
}

int main(int count, char **words) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_error *error = NULL;
  backend of = {0};
  int result;
  if (count != 2) {
    fprintf(stderr, "usage: %s IMAGE\n", words[0]);
    return 3;
  }
  open.access = VDISK_READ_WRITE;
  open.parents = VDISK_PARENTS_BESIDE;
  if (vdisk_disk_open(words[1], &open, &of.disk, &error) != VDISK_SUCCESS) {
    fprintf(stderr, "%s\n", vdisk_error_message(error));
    vdisk_error_free(error);
    return 2;
  }
  of.has_ring = io_uring_queue_init(queue_depth, &of.ring, 0) == 0;
  result = run(&of);
  if (of.has_ring) io_uring_queue_exit(&of.ring);
  if (vdisk_disk_close(of.disk, NULL) != VDISK_SUCCESS) result = -1;
  printf("%s: %s (%s)\n", words[1], result == 0 ? "written and read back" : "failed",
         of.has_ring ? "io_uring" : "pread and pwrite");
  return result == 0 ? 0 : 2;
}
