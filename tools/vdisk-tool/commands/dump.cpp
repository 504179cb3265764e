/// dump: every structure of an image file, field by field.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "options.h"
#include "output.h"
#include "signals.h"
#include "try.h"
#include "vdisk/operations.h"

namespace vdisk::tool {
namespace {

class Dump : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Status print_as_text();
  Status print_as_json();

  std::filesystem::path path_;
  OpenOptions open_;
  OutputOptions output_;
};

void Dump::declare(Arguments& arguments) {
  arguments.positional("PATH", path_, "the image; no parent is opened");
  declare_output(arguments, output_, Takes::result);
  declare_open(arguments, open_, {.parents = false, .only_reads = true});
  arguments.example("dump disk.vhdx", "offset, name and value of every field");
}

void print_structure(const Structure& structure) {
  print_line(fmt::format("{} at {:#x}, {} bytes", escaped(structure.name), structure.offset,
                         structure.size));
  std::size_t width = 0;
  for (const auto& field : structure.fields) width = std::max(width, field.name.size());
  for (const auto& field : structure.fields) {
    print_line(fmt::format("  {:#014x} {:5}  {:<{}}  {}", field.offset, field.size,
                           escaped(field.name), width, escaped(field.value)));
  }
}

nlohmann::ordered_json structure_document(const Structure& structure) {
  auto fields = nlohmann::ordered_json::array();
  for (const auto& field : structure.fields) {
    fields.push_back({{"name", field.name},
                      {"offset", field.offset},
                      {"size", field.size},
                      {"value", field.value}});
  }
  return {{"name", structure.name},
          {"offset", structure.offset},
          {"size", structure.size},
          {"fields", fields}};
}

Status Dump::print_as_text() {
  bool first = true;
  return dump(path_, open_, [&first](const Structure& structure) -> Status {
    if (!first) print("\n");
    first = false;
    print_structure(structure);
    return check_interrupted();
  });
}

/// An array written element by element: a block table can be large.
Status Dump::print_as_json() {
  bool first = true;
  print("[");
  TOOL_TRY(dump(path_, open_, [&first](const Structure& structure) -> Status {
    print(first ? "\n" : ",\n");
    first = false;
    print(to_line(structure_document(structure)));
    return check_interrupted();
  }));
  print("\n]\n");
  return {};
}

Result<Exit> Dump::run() {
  TOOL_TRY(output_.json ? print_as_json() : print_as_text());
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_dump() {
  return std::make_unique<Dump>();
}

}  // namespace vdisk::tool
