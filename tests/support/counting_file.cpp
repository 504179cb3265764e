#include "support/counting_file.h"

namespace vdisk::test {

FileCounts CountingFile::counts() const {
  FileCounts counts;
  counts.reads = reads_.calls;
  counts.read_bytes = reads_.bytes;
  counts.writes = writes_.calls;
  counts.written_bytes = writes_.bytes;
  counts.zeroings = zeroings_.calls;
  counts.zeroed_bytes = zeroings_.bytes;
  counts.punches = punches_.calls;
  counts.punched_bytes = punches_.bytes;
  counts.copies = copies_.calls;
  counts.copied_bytes = copies_.bytes;
  counts.resizes = resizes_.calls;
  counts.flushes = flushes_.calls;
  counts.hole_queries = hole_queries_.calls;
  return counts;
}

void CountingFile::reset() {
  for (Counter* counter :
       {&reads_, &hole_queries_, &writes_, &zeroings_, &punches_, &copies_, &resizes_, &flushes_}) {
    counter->reset();
  }
}

Status CountingFile::read_at(u64 offset, std::span<std::byte> out) const {
  reads_.add(out.size());
  return inner().read_at(offset, out);
}

Status CountingFile::write_at(u64 offset, std::span<const std::byte> data) {
  writes_.add(data.size());
  return inner().write_at(offset, data);
}

Status CountingFile::zero_at(u64 offset, u64 length) {
  zeroings_.add(length);
  return inner().zero_at(offset, length);
}

Status CountingFile::punch_at(u64 offset, u64 length) {
  punches_.add(length);
  return inner().punch_at(offset, length);
}

Status CountingFile::copy_from(const File& source, u64 source_offset, u64 target_offset,
                               u64 length) {
  copies_.add(length);
  return inner().copy_from(source, source_offset, target_offset, length);
}

Status CountingFile::resize(u64 new_size) {
  resizes_.add(0);
  return inner().resize(new_size);
}

Status CountingFile::flush() {
  flushes_.add(0);
  return inner().flush();
}

Result<Hole> CountingFile::next_hole(u64 offset) const {
  hole_queries_.add(0);
  return inner().next_hole(offset);
}

}  // namespace vdisk::test
