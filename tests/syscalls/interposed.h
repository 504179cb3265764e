/// System calls of libvdisk/io as a bad day has them: interrupted, told to come again, moving a
/// part of what was asked for, or not offered by the file system (HOSTILE E-05, E-06, E-12, E-17).
///
/// The program defines the functions of the C library itself, and passes them on.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace vdisk::test {

struct SyscallTrouble {
  bool interrupt = false;      ///< each call fails once with EINTR before it is done
  bool again = false;          ///< each read, write and opening below a root once with EAGAIN
  std::size_t most_bytes = 0;  ///< a transfer moves at most so many; 0: all
  bool no_openat2 = false;     ///< as kernels before 5.6
  /// Nothing but reading, writing, sizes and plain names: no allocation, holes, clones, copies,
  /// renames without clobbering, nor syncs of directories.
  bool bare_file_system = false;
  bool no_locks = false;  ///< ENOLCK
};

/// While it lives all threads have that trouble. One at a time.
class TroubledSyscalls {
 public:
  explicit TroubledSyscalls(const SyscallTrouble& trouble);
  ~TroubledSyscalls();
  TroubledSyscalls(const TroubledSyscalls&) = delete;
  TroubledSyscalls& operator=(const TroubledSyscalls&) = delete;

  /// How often each function was troubled since the beginning.
  [[nodiscard]] std::map<std::string, int> counts() const;
};

}  // namespace vdisk::test
