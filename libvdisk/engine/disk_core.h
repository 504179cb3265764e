/// The inside of a Disk: its layers and the rules for using them together.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "base/exception_error.h"
#include "engine/chain.h"
#include "engine/change_watch.h"
#include "engine/disk_call.h"
#include "engine/flush_group.h"
#include "engine/in_flight.h"
#include "engine/reservations.h"
#include "vdisk/disk.h"

namespace vdisk {

struct Disk::Core {
  Core(Chain opened, Access wanted, std::shared_ptr<FileSystem> names);

  /// The topmost word on a range: layers [layers_begin, layers_end) are asked, leaf first. Beyond
  /// the end of a layer everything reads as zeros, whatever lies below it.
  Result<MappedExtent> resolve(u64 offset, u64 limit, std::size_t layers_end,
                               std::size_t layers_begin = 0) const;
  Status read(u64 offset, std::span<std::byte> out) const;
  Status write(u64 offset, std::span<const std::byte> data);
  Status zero(u64 offset, u64 length);
  Status discard(u64 offset, u64 length);
  Status commit(const Extent& written);
  Status flush();
  Status close();
  Status expand(u64 new_size);
  Status shrink(u64 new_size);
  /// The watcher is told of every change that ends after this call. Errors: operation_in_progress,
  /// when there is one already.
  Status watch_changes(ChangeWatch::Watcher& watcher);
  /// Errors: operation_in_progress, while somebody watches.
  Status require_unwatched() const;

  /// Calls of the outside. Exceptions of memory or of the caller's File end here. One that broke
  /// off a change leaves a disk whose tables in memory nobody can trust: no change follows it, and
  /// what is in the file is what a process that died there would have left.
  template <class Question>
  auto ask(const Question& question) const -> decltype(question()) try {
    const DiskCall call(this);
    if (call.nested()) return refuse_nested();
    return question();
  } catch (...) {
    return error_of_exception();
  }
  template <class Change>
  auto change(const Change& change) -> decltype(change()) try {
    const DiskCall call(this);
    if (call.nested()) return refuse_nested();
    if (broken_off_) return refuse_change();
    return change();
  } catch (...) {
    broken_off_ = true;
    return error_of_exception();
  }

  [[nodiscard]] u64 size() const { return sizes.front(); }
  [[nodiscard]] Image& leaf() const { return *layers.front().image; }
  /// Adds the leaf's path to an error of its image.
  template <class T>
  Result<T> named(Result<T> result) const {
    if (!result) return std::unexpected(at_path(layers.front().path, std::move(result).error()));
    return result;
  }

  std::shared_ptr<FileSystem> file_system;
  std::vector<Layer> layers;
  std::vector<u64> sizes;  ///< virtual sizes of the layers
  bool complete = true;
  Access access = Access::read_only;
  mutable InFlight in_flight;
  Reservations reservations;  ///< of callers that write payload themselves
  FlushGroup flushes;
  ChangeWatch changes;
  std::atomic<bool> space_was_freed = false;

 private:
  class Changing;
  [[nodiscard]] std::unexpected<Error> refuse_nested() const;
  [[nodiscard]] std::unexpected<Error> refuse_change() const;
  Status check_range(u64 offset, u64 length) const;
  Status check_writable(u64 offset, u64 length) const;
  Status read_extent(const MappedExtent& extent, std::span<std::byte> out) const;
  Result<u64> zero_step(u64 offset, u64 length);
  Result<u64> zero_stored(u64 offset, u64 length);
  [[nodiscard]] u64 until_block_end(u64 offset) const;
  Status flush_leaf();

  std::atomic<bool> broken_off_ = false;
};

/// What the operations of the engine may do with a Disk.
struct DiskAccess {
  static Disk make(Chain chain, Access access, std::shared_ptr<FileSystem> file_system);
  static Disk::Core& core(Disk& disk) { return *disk.core_; }
  static const Disk::Core& core(const Disk& disk) { return *disk.core_; }
};

}  // namespace vdisk
