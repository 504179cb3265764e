/// Reading is by events, never by a tree: a manifest of a large disk has millions of blocks.
#include "manifest_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "images.h"

namespace vdisk::tool {
namespace {

constexpr int manifest_version = 1;
constexpr std::string_view xxh3_name = "xxh3-128";
constexpr std::string_view sha256_name = "sha256";
/// More nesting than a manifest has is an error at once.
constexpr int deepest = 3;

std::string hex_of(const BlockDigest& block, std::size_t length) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t at = 0; at < length; ++at) {
    text.push_back(digits[block.bytes[at] >> 4]);
    text.push_back(digits[block.bytes[at] & 15]);
  }
  return text;
}

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/// Takes the events of the parser; false ends it, with `fault_` saying why.
class Reader {
 public:
  using Json = nlohmann::json;

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a boolean"); }
  bool number_integer(Json::number_integer_t) { return refuse("a negative number"); }
  bool number_float(Json::number_float_t, const std::string&) { return refuse("a fraction"); }
  bool binary(Json::binary_t&) { return refuse("binary data"); }
  bool number_unsigned(Json::number_unsigned_t value);
  bool string(std::string& value);
  bool start_object(std::size_t);
  bool key(std::string& name);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array();
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    fault_ = fmt::format("not JSON at byte {}", position);
    return false;
  }

  Result<Manifest> take(const std::string& name);

 private:
  bool refuse(std::string_view what) {
    fault_ = fmt::format("\"{}\" is {}", key_, what);
    return false;
  }
  [[nodiscard]] bool in_block() const { return depth_ == deepest; }
  bool take_digest(const std::string& hex);

  Manifest manifest_;
  BlockDigest block_;
  std::vector<u64> offsets_;
  std::vector<std::size_t> digest_lengths_;
  std::optional<u64> version_, offset_;
  bool has_algorithm_ = false;
  bool has_digest_ = false;
  int depth_ = 0;
  std::string key_;
  std::string fault_;
};

bool Reader::number_unsigned(Json::number_unsigned_t value) {
  if (in_block()) {
    if (key_ == "offset") offset_ = value;
    return true;
  }
  if (key_ == "manifest") version_ = value;
  if (key_ == "block_size") manifest_.block_size = value;
  if (key_ == "virtual_size") manifest_.virtual_size = value;
  return true;
}

bool Reader::string(std::string& value) {
  if (in_block()) return key_ == "digest" ? take_digest(value) : true;
  if (key_ != "algorithm") return true;
  has_algorithm_ = value == xxh3_name || value == sha256_name;
  if (!has_algorithm_) return refuse(fmt::format("\"{}\", expected xxh3-128 or sha256", value));
  manifest_.algorithm = value == sha256_name ? DigestAlgorithm::sha256 : DigestAlgorithm::xxh3_128;
  return true;
}

bool Reader::take_digest(const std::string& hex) {
  if (hex.size() % 2 != 0 || hex.size() / 2 > block_.bytes.size()) return refuse("no digest");
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    const int high = digit_value(hex[at]);
    const int low = digit_value(hex[at + 1]);
    if (high < 0 || low < 0) return refuse("no digest");
    block_.bytes[at / 2] = static_cast<u8>(high * 16 + low);
  }
  has_digest_ = true;
  digest_lengths_.push_back(hex.size() / 2);
  return true;
}

bool Reader::start_object(std::size_t) {
  ++depth_;
  if (depth_ == 2 || depth_ > deepest) return refuse("an object");
  block_ = {};
  offset_.reset();
  has_digest_ = false;
  return true;
}

bool Reader::key(std::string& name) {
  key_ = name;
  return true;
}

bool Reader::end_object() {
  const bool was_block = in_block();
  --depth_;
  if (!was_block) return true;
  if (!offset_ || !has_digest_) {
    fault_ = "a block without offset or digest";
    return false;
  }
  offsets_.push_back(*offset_);
  manifest_.blocks.push_back(block_);
  return true;
}

bool Reader::start_array(std::size_t) {
  ++depth_;
  return depth_ == 2 && key_ == "blocks" ? true : refuse("a list");
}

bool Reader::end_array() {
  --depth_;
  return true;
}

Result<Manifest> Reader::take(const std::string& name) {
  const auto broken = [&](std::string_view what) {
    return fail(Errc::invalid_data, fmt::format("{}: manifest: {}", name, what));
  };
  if (!fault_.empty()) return broken(fault_);
  if (version_ != manifest_version) return broken("no version 1 of a manifest");
  if (!has_algorithm_ || manifest_.block_size == 0) return broken("no algorithm or no block size");
  for (std::size_t at = 0; at < offsets_.size(); ++at) {
    if (offsets_[at] % manifest_.block_size != 0 ||
        digest_lengths_[at] != digest_length(manifest_.algorithm))
      return broken(
          fmt::format("block at offset {}: not of this block size or algorithm", offsets_[at]));
    manifest_.blocks[at].index = offsets_[at] / manifest_.block_size;
  }
  return std::move(manifest_);
}

}  // namespace

void write_manifest(const Manifest& manifest, const std::function<void(std::string_view)>& put) {
  const bool sha256 = manifest.algorithm == DigestAlgorithm::sha256;
  put(
      fmt::format("{{\"manifest\": {}, \"algorithm\": \"{}\", \"block_size\": {}, "
                  "\"virtual_size\": {}, \"blocks\": [",
                  manifest_version, sha256 ? sha256_name : xxh3_name, manifest.block_size,
                  manifest.virtual_size));
  const auto length = digest_length(manifest.algorithm);
  std::string_view separator = "\n";
  for (const auto& block : manifest.blocks) {
    put(fmt::format("{}{{\"offset\": {}, \"digest\": \"{}\"}}", separator,
                    block.index * manifest.block_size, hex_of(block, length)));
    separator = ",\n";
  }
  put("\n]}\n");
}

Result<Manifest> parse_manifest(std::istream& text, const std::string& name) {
  Reader reader;
  (void)nlohmann::json::sax_parse(text, &reader);
  return reader.take(name);
}

Result<Manifest> read_manifest(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream text(path, std::ios::binary);
  if (!text) {
    const int code = errno;
    return std::unexpected(Error{code == ENOENT ? Errc::file_not_found : Errc::io,
                                 fmt::format("{}: {}", text_of(path), std::strerror(code)), code});
  }
  return parse_manifest(text, text_of(path));
}

}  // namespace vdisk::tool
