/// Lists that belong to the output of a job: paths and notes.
#include <algorithm>

#include "capi/operation.h"
#include "capi/sized.h"
#include "capi/status.h"

namespace vdisk::capi {

namespace {

vdisk_note describe(const Note& note) {
  return {sizeof(vdisk_note),   note.kind,           note.severity,    note.offset, note.id.c_str(),
          note.message.c_str(), note.repair.c_str(), note.path.c_str()};
}

Status find_path(const JobResult& result, uint32_t kind, u64 index, const char** path) {
  for (const KnownPath& known : result.paths) {
    if (known.kind != kind || index-- != 0) continue;
    *path = known.path.c_str();
    return {};
  }
  return fail(Errc::not_found, "no such path");
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_job_path(const vdisk_job* job, uint32_t kind, uint64_t index,
                            const char** path) {
  return capi::guarded(nullptr, [&]() -> vdisk::Status {
    if (path == nullptr) return vdisk::fail(vdisk::Errc::invalid_argument, "path: missing");
    const auto result = capi::result_of(job);
    if (!result) return std::unexpected(result.error());
    return capi::find_path(**result, kind, index, path);
  });
}

vdisk_status vdisk_job_note(const vdisk_job* job, uint64_t index, vdisk_note* note) {
  return capi::guarded(nullptr, [&]() -> vdisk::Status {
    const auto result = capi::result_of(job);
    if (!result) return std::unexpected(result.error());
    const auto& notes = (*result)->notes;
    if (index >= notes.size()) return vdisk::fail(vdisk::Errc::not_found, "no such note");
    return capi::give(capi::describe(notes[index]), note);
  });
}

vdisk_status vdisk_job_phase(const vdisk_job* job, char* text, size_t room) {
  return capi::guarded(nullptr, [&]() -> vdisk::Status {
    if (job == nullptr || text == nullptr || room == 0) {
      return vdisk::fail(vdisk::Errc::invalid_argument, "job or text: missing");
    }
    const std::string phase = job->job.phase();
    const std::size_t length = std::min(phase.size(), room - 1);
    std::copy_n(phase.begin(), length, text);
    text[length] = '\0';
    return {};
  });
}
