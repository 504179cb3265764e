/// hash: digests of the guest's content.
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/content_digest.h"
#include "vdisk/operations.h"

namespace vdisk {

Result<Digest> hash(const HashOptions& options, Progress& progress) try {
  OpenOptions open = options.open;
  open.access = Access::read_only;
  VDISK_ASSIGN(const auto disk, Disk::open(options.path, open));
  progress.phase("hash");
  progress.expect(disk.size());
  return digest_content(disk, disk.size(), options.algorithm, progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
