/// Files of the caller behind the File seam. Nothing of the caller's is copied or cached.
#include "capi/store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <vector>

#include "capi/sized.h"

namespace vdisk::capi {

namespace fs = std::filesystem;

namespace {

constexpr u64 piece_size = 256 * kib;

Errc errc_of_errno(int error) {
  switch (error) {
    case ENOENT: return Errc::file_not_found;
    case ENOTDIR: return Errc::path_not_found;
    case EACCES:
    case EPERM: return Errc::access_denied;
    case EROFS: return Errc::write_protected;
    case EBUSY:
    case EAGAIN: return Errc::busy;
    case EEXIST: return Errc::file_exists;
    case ENOSPC:
    case EDQUOT: return Errc::no_space;
    case EFBIG: return Errc::file_system_limit;
    case ENOMEM: return Errc::no_memory;
    case ENODATA: return Errc::end_of_file;
    case EINVAL: return Errc::invalid_argument;
    case ENOSYS:
    case EOPNOTSUPP: return Errc::unsupported;
    default: return Errc::io;
  }
}

std::unexpected<Error> refused(int error, const std::string& name, const char* action) {
  return std::unexpected(Error{errc_of_errno(error),
                               name + ": " + action + ": " + std::generic_category().message(error),
                               error});
}

/// What a failure to read is, whatever its errno: a damaged image is another matter.
Error failure_to_read(Error error) {
  if (error.code != Errc::no_memory) error.code = Errc::io;
  return error;
}

/// A call of the caller as a Status; an exception of his is an error of his storage.
template <class Call>
Status ask(const std::string& name, const char* action, Call call) {
  int error = EIO;
  try {
    error = call();
  } catch (...) {
    return fail(Errc::io, name + ": " + action + ": the caller's storage threw an exception");
  }
  if (error == 0) return {};
  return refused(error, name, action);
}

class StoreFile : public File {
 public:
  StoreFile(vdisk_file_calls calls, void* file, FileId id, std::string name)
      : calls_(calls), file_(file), id_(id), name_(std::move(name)) {}
  ~StoreFile() override {
    if (calls_.close == nullptr) return;
    (void)ask(name_, "close", [&] { return calls_.close(file_), 0; });
  }

  Status read_at(u64 offset, std::span<std::byte> out) const override {
    auto done =
        ask(name_, "read", [&] { return calls_.read(file_, offset, out.data(), out.size()); });
    if (done || is_behind_end(done.error(), offset, out.size())) return done;
    return std::unexpected(failure_to_read(std::move(done).error()));
  }
  Status write_at(u64 offset, std::span<const std::byte> data) override {
    return change("write", [&] { return calls_.write(file_, offset, data.data(), data.size()); });
  }
  Status zero_at(u64 offset, u64 length) override {
    if (calls_.zero == nullptr) return write_zeros(offset, length);
    return change("zero", [&] { return calls_.zero(file_, offset, length); });
  }
  Status punch_at(u64 offset, u64 length) override {
    auto end = size();
    if (!end) return std::unexpected(std::move(end).error());
    if (offset >= *end || length == 0) return {};
    const u64 inside = std::min(length, *end - offset);
    if (calls_.punch == nullptr) return zero_at(offset, inside);
    return change("punch", [&] { return calls_.punch(file_, offset, inside); });
  }
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override {
    std::vector<std::byte> buffer(std::min(length, piece_size));
    for (u64 done = 0; done < length;) {
      const auto piece = std::span(buffer).first(std::min<u64>(buffer.size(), length - done));
      auto moved = source.read_at(source_offset + done, piece);
      if (moved) moved = write_at(target_offset + done, piece);
      if (!moved) return moved;
      done += piece.size();
    }
    return {};
  }
  [[nodiscard]] Result<u64> size() const override {
    u64 size = 0;
    auto asked = ask(name_, "size", [&] { return calls_.size(file_, &size); });
    if (!asked) return std::unexpected(failure_to_read(std::move(asked).error()));
    return size;
  }
  Status resize(u64 new_size) override {
    return change("resize", [&] { return calls_.resize(file_, new_size); });
  }
  Status flush() override {
    auto flushed = change("flush", [&] { return calls_.flush(file_); });
    if (!flushed) poisoned_ = true;
    return flushed;
  }
  [[nodiscard]] Result<FileId> identity() const override { return id_; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] void* file() const { return file_; }

 private:
  template <class Call>
  Status change(const char* action, Call call) {
    if (poisoned_) {
      return fail(Errc::poisoned, name_ + ": an earlier flush failed: nothing more is written");
    }
    return ask(name_, action, std::move(call));
  }

  /// A store that loses its place says ENODATA as well: only the size makes it the end.
  [[nodiscard]] bool is_behind_end(const Error& error, u64 offset, u64 length) const {
    if (error.code != Errc::end_of_file) return false;
    const auto end = size();
    return end && (offset > *end || length > *end - offset);
  }

  Status write_zeros(u64 offset, u64 length) {
    static constexpr std::array<std::byte, 64 * kib> zeros{};
    for (u64 done = 0; done < length;) {
      const u64 count = std::min<u64>(zeros.size(), length - done);
      auto written = write_at(offset + done, std::span(zeros).first(count));
      if (!written) return written;
      done += count;
    }
    return {};
  }

  vdisk_file_calls calls_;
  void* file_;
  FileId id_;
  std::string name_;
  std::atomic<bool> poisoned_ = false;
};

/// Names of a directory, as the caller hands them over one by one.
struct Names {
  std::vector<fs::path> files = {};
  std::vector<fs::path> directories = {};
  Errc fault = Errc::success;  ///< of the first name that could not be taken

  /// In order and once; or why not all could be taken.
  Status settle(const std::string& directory) {
    if (fault != Errc::success) {
      return fail(fault, directory + ": list: a name of the store cannot be taken, expected one " +
                             "without '/'");
    }
    for (auto* names : {&files, &directories}) {
      std::ranges::sort(*names);
      names->erase(std::unique(names->begin(), names->end()), names->end());
    }
    return {};
  }
};

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

/// Called by the caller's code, which no exception must meet.
void add_name(void* opaque, const char* name, int is_directory) noexcept {
  auto& names = *static_cast<Names*>(opaque);
  try {
    if (name == nullptr || !is_plain_name(name)) {
      names.fault = Errc::invalid_data;
    } else {
      (is_directory != 0 ? names.directories : names.files).emplace_back(name);
    }
  } catch (...) {
    names.fault = Errc::no_memory;
  }
}

class StoreFileSystem : public FileSystem {
 public:
  StoreFileSystem(vdisk_store store, vdisk_file_calls calls, Unlisted unlisted)
      : store_(store), calls_(calls), unlisted_(unlisted) {}

  Result<std::shared_ptr<File>> open(const fs::path& path, const FileOptions& options) override {
    const std::string name = normal(path);
    const bool writable = options.access == Access::read_write;
    return opened(name, "open", [&](void** file, u64* id) {
      return store_.open(store_.context, name.c_str(), writable ? 1 : 0, file, id);
    });
  }

  Result<std::shared_ptr<File>> open_beneath(const fs::path& root, const fs::path& relative,
                                             const FileOptions& options) override {
    const fs::path inside = relative.lexically_normal();
    if (relative.is_absolute() || inside.empty() || *inside.begin() == "..") {
      return fail(Errc::parent_access_denied,
                  (root / relative).string() + ": leads out of the allowed place");
    }
    return open(root / inside, options);
  }

  Result<std::shared_ptr<File>> create_beside(const fs::path& target) override {
    if (store_.create == nullptr) return missing(target, "create");
    const std::string name = normal(target);
    return opened(name, "create", [&](void** file, u64* id) {
      return store_.create(store_.context, name.c_str(), file, id);
    });
  }

  Status publish(File& temporary, const fs::path& target, bool replace) override {
    auto* file = dynamic_cast<StoreFile*>(&temporary);
    if (file == nullptr || store_.publish == nullptr) return missing(target, "publish");
    const std::string name = normal(target);
    return ask(name, "publish", [&] {
      return store_.publish(store_.context, file->file(), name.c_str(), replace ? 1 : 0);
    });
  }

  Status remove(const fs::path& path) override {
    if (store_.remove == nullptr) return missing(path, "remove");
    const std::string name = normal(path);
    return ask(name, "remove", [&] { return store_.remove(store_.context, name.c_str()); });
  }

  [[nodiscard]] Result<FileId> identity(const fs::path& path) const override {
    auto file = const_cast<StoreFileSystem*>(this)->open(path, {});
    if (!file) return std::unexpected(std::move(file).error());
    return (*file)->identity();
  }

  [[nodiscard]] Result<std::vector<fs::path>> list(const fs::path& directory) const override {
    auto names = names_in(directory);
    if (!names) return std::unexpected(std::move(names).error());
    return std::move(names->files);
  }
  [[nodiscard]] Result<std::vector<fs::path>> list_directories(
      const fs::path& directory) const override {
    auto names = names_in(directory);
    if (!names) return std::unexpected(std::move(names).error());
    return std::move(names->directories);
  }

  [[nodiscard]] Result<fs::path> absolute(const fs::path& path) const override {
    return fs::path(normal(path));
  }

 private:
  static std::string normal(const fs::path& path) { return ("/" / path).lexically_normal(); }

  static std::unexpected<Error> missing(const fs::path& path, const char* action) {
    return fail(Errc::unsupported, path.string() + ": " + action + ": not offered by the store");
  }

  [[nodiscard]] Result<Names> names_in(const fs::path& directory) const {
    Names names;
    const std::string name = normal(directory);
    if (store_.list == nullptr && unlisted_ == Unlisted::taken_as_empty) return names;
    if (store_.list == nullptr) {
      return fail(Errc::unsupported,
                  name + ": list: not offered by the store, expected it: which images depend on " +
                      "which cannot be known without");
    }
    auto asked = ask(name, "list",
                     [&] { return store_.list(store_.context, name.c_str(), add_name, &names); });
    if (asked) asked = names.settle(name);
    if (!asked) return std::unexpected(std::move(asked).error());
    return names;
  }

  template <class Call>
  Result<std::shared_ptr<File>> opened(const std::string& name, const char* action, Call call) {
    void* file = nullptr;
    FileId id;
    auto asked = ask(name, action, [&] { return call(&file, &id.inode); });
    if (!asked) return std::unexpected(std::move(asked).error());
    return std::make_shared<StoreFile>(calls_, file, id, name);
  }

  vdisk_store store_;
  vdisk_file_calls calls_;
  Unlisted unlisted_;
};

}  // namespace

Result<std::shared_ptr<FileSystem>> store_file_system(const vdisk_store* store, Unlisted unlisted) {
  auto own = take(store);
  if (!own) return std::unexpected(std::move(own).error());
  auto calls = take(own->file);
  if (!calls) return std::unexpected(std::move(calls).error());
  const bool complete = own->open != nullptr && calls->read != nullptr && calls->write != nullptr &&
                        calls->size != nullptr && calls->resize != nullptr &&
                        calls->flush != nullptr;
  if (!complete) {
    return fail(Errc::invalid_argument,
                "store: a call is missing, expected open, read, write, size, resize and flush");
  }
  return std::make_shared<StoreFileSystem>(*own, *calls, unlisted);
}

}  // namespace vdisk::capi
