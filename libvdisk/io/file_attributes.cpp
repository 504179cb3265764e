#include "io/file_attributes.h"

#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace vdisk {

namespace {

constexpr mode_t permissions = 07777;
/// The kernel's own limit for the list of names and for one value.
constexpr std::size_t longest_attribute = std::size_t{64} * 1024;

/// Ends with a zero byte after each name; empty where there are none or the host has no such thing.
std::string attribute_names(const std::filesystem::path& path) {
  std::string names(longest_attribute, '\0');
  const auto length = ::listxattr(path.c_str(), names.data(), names.size());
  names.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return names;
}

void copy_attribute(int descriptor, const std::filesystem::path& from, const char* name) {
  std::vector<char> value(longest_attribute);
  const auto length = ::getxattr(from.c_str(), name, value.data(), value.size());
  if (length < 0) return;
  (void)::fsetxattr(descriptor, name, value.data(), static_cast<std::size_t>(length), 0);
}

}  // namespace

void keep_attributes(int descriptor, const std::filesystem::path& target) {
  struct stat status{};
  if (::stat(target.c_str(), &status) != 0) return;
  constexpr auto same = static_cast<uid_t>(-1);
  // Another user's file keeps at least the group, where this user belongs to it.
  if (::fchown(descriptor, status.st_uid, status.st_gid) != 0) {
    (void)!::fchown(descriptor, same, status.st_gid);
  }
  (void)::fchmod(descriptor, status.st_mode & permissions);  // a change of owner clears some bits
  const std::string names = attribute_names(target);
  for (std::size_t at = 0; at < names.size();) {
    const char* name = names.c_str() + at;
    copy_attribute(descriptor, target, name);
    at += std::string_view(name).size() + 1;
  }
}

}  // namespace vdisk
