/// Writes 4 KiB at each offset that a file lists, through Disk: our side of what qemu-io does.
///   peer_writes IMAGE OFFSETS [WRITES-PER-FLUSH]
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "vdisk/disk.h"

namespace {

int give_up(const vdisk::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

std::vector<vdisk::u64> offsets_of(const char* path) {
  std::vector<vdisk::u64> offsets;
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return offsets;
  for (vdisk::u64 offset = 0; std::fscanf(file, "%" SCNu64, &offset) == 1;) {
    offsets.push_back(offset);
  }
  (void)std::fclose(file);
  return offsets;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 3;
  const std::size_t epoch = count > 3 ? std::strtoull(arguments[3], nullptr, 10) : 0;
  vdisk::OpenOptions options;
  options.access = vdisk::Access::read_write;
  options.parents = vdisk::ParentPolicy::beside;
  auto disk = vdisk::Disk::open(arguments[1], options);
  if (!disk) return give_up(disk.error());
  const std::vector<std::byte> data(4 * vdisk::kib, std::byte{0x5A});
  std::size_t written = 0;
  for (const vdisk::u64 offset : offsets_of(arguments[2])) {
    auto done = disk->write(offset, data);
    if (done && epoch != 0 && ++written % epoch == 0) done = disk->flush();
    if (!done) return give_up(done.error());
  }
  auto closed = disk->close();
  return closed ? 0 : give_up(closed.error());
}
