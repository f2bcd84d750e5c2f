// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/object_code.h"

#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

namespace bpfmark {
namespace {

struct EndElf {
  void operator()(Elf* elf) const { elf_end(elf); }
};

struct Symbol {
  std::string name;
  GElf_Sym raw{};
};

// (section, offset of an instruction) -> the symbol its relocation names.
using Relocations = std::map<std::pair<std::size_t, std::size_t>, const Symbol*>;

struct Sections {
  std::vector<Elf_Scn*> all;  // by index
  std::vector<Symbol> symbols;
  Relocations relocations;
};

Elf_Data* data_of(Elf_Scn* section) { return elf_getdata(section, nullptr); }

void read_symbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, Sections& sections) {
  Elf_Data* const data = data_of(section);
  const int count = static_cast<int>(header.sh_size / header.sh_entsize);
  for (int i = 0; i < count; ++i) {
    Symbol symbol;
    gelf_getsym(data, i, &symbol.raw);
    if (const char* name = elf_strptr(elf, header.sh_link, symbol.raw.st_name)) symbol.name = name;
    sections.symbols.push_back(std::move(symbol));
  }
}

void read_relocations(Elf_Scn* section, const GElf_Shdr& header, Sections& sections) {
  Elf_Data* const data = data_of(section);
  const int count = static_cast<int>(header.sh_size / header.sh_entsize);
  for (int i = 0; i < count; ++i) {
    GElf_Rel relocation{};
    gelf_getrel(data, i, &relocation);
    const std::size_t index = GELF_R_SYM(relocation.r_info);
    if (index >= sections.symbols.size()) continue;
    sections.relocations[{header.sh_info, relocation.r_offset}] = &sections.symbols[index];
  }
}

Sections read_sections(Elf* elf) {
  Sections sections;
  sections.all.push_back(nullptr);  // section 0 is none
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
    sections.all.push_back(section);
  }
  // Symbols first: relocations point at them.
  for (const Elf64_Word wanted : {Elf64_Word{SHT_SYMTAB}, Elf64_Word{SHT_REL}}) {
    for (Elf_Scn* section : sections.all) {
      GElf_Shdr header{};
      if (section == nullptr || gelf_getshdr(section, &header) == nullptr) continue;
      if (header.sh_type != wanted || header.sh_entsize == 0) continue;
      if (wanted == SHT_SYMTAB) {
        read_symbols(elf, section, header, sections);
      } else {
        read_relocations(section, header, sections);
      }
    }
  }
  return sections;
}

bool is_function(const Symbol& symbol) {
  return GELF_ST_TYPE(symbol.raw.st_info) == STT_FUNC && symbol.raw.st_size > 0;
}

std::string function_at(const Sections& sections, std::size_t section, std::uint64_t place) {
  const auto found = std::ranges::find_if(sections.symbols, [&](const Symbol& candidate) {
    return is_function(candidate) && candidate.raw.st_shndx == section &&
           candidate.raw.st_value == place;
  });
  return found == sections.symbols.end() ? "" : found->name;
}

// A static function is referred to by its section and the place in it, which stands in the
// instruction: in bytes for a reference, in instructions minus one for a call.
std::string referred_to(const Symbol& symbol, const bpf_insn& insn, const Sections& sections) {
  if (GELF_ST_TYPE(symbol.raw.st_info) != STT_SECTION) return symbol.name;
  const bool call = insn.code == (BPF_JMP | BPF_CALL);
  const auto place = static_cast<std::uint64_t>(
      call ? (insn.imm + 1) * static_cast<long>(sizeof(bpf_insn)) : insn.imm);
  return function_at(sections, symbol.raw.st_shndx, place);
}

Result<Function> read_function(const Symbol& symbol, const Sections& sections) {
  Function function{.name = symbol.name, .code = {}};
  const std::size_t section = symbol.raw.st_shndx;
  const Elf_Data* const data =
      section < sections.all.size() ? data_of(sections.all[section]) : nullptr;
  const std::size_t end = symbol.raw.st_value + symbol.raw.st_size;
  if (data == nullptr || end > data->d_size) {
    return wrong_result("function " + symbol.name + " lies outside of its section");
  }
  for (std::size_t at = symbol.raw.st_value; at < end; at += sizeof(bpf_insn)) {
    Instruction instruction{};
    std::memcpy(&instruction.raw, static_cast<const char*>(data->d_buf) + at, sizeof(bpf_insn));
    if (const auto found = sections.relocations.find({section, at});
        found != sections.relocations.end()) {
      instruction.symbol = referred_to(*found->second, instruction.raw, sections);
    } else if (instruction.calls_function()) {
      // Of the same section: the assembler knew the distance.
      const auto distance = (instruction.raw.imm + 1) * static_cast<long>(sizeof(bpf_insn));
      instruction.symbol =
          function_at(sections, section, at + static_cast<std::uint64_t>(distance));
    }
    function.code.push_back(std::move(instruction));
  }
  return function;
}

}  // namespace

bool Instruction::jumps_backward() const {
  const int kind = BPF_CLASS(raw.code);
  const int operation = BPF_OP(raw.code);
  if (kind == BPF_JMP32 && operation == BPF_JA) return raw.imm < 0;
  if (kind != BPF_JMP && kind != BPF_JMP32) return false;
  return operation != BPF_CALL && operation != BPF_EXIT && raw.off < 0;
}

Result<ObjectCode> ObjectCode::parse(const void* bytes, std::size_t size) {
  elf_version(EV_CURRENT);
  // libelf wants a pointer to non-const and does not write through it unless asked to.
  const std::unique_ptr<Elf, EndElf> elf(
      elf_memory(static_cast<char*>(const_cast<void*>(bytes)), size));
  GElf_Ehdr header{};
  if (!elf || gelf_getehdr(elf.get(), &header) == nullptr || header.e_machine != EM_BPF) {
    return wrong_result("this is no BPF object");
  }
  const Sections sections = read_sections(elf.get());
  std::vector<Function> functions;
  for (const Symbol& symbol : sections.symbols) {
    if (!is_function(symbol)) continue;
    Result<Function> function = read_function(symbol, sections);
    if (!function) return std::unexpected(function.error());
    functions.push_back(std::move(*function));
  }
  return ObjectCode(std::move(functions));
}

const Function* ObjectCode::find(std::string_view name) const {
  const auto found = std::ranges::find(functions_, name, &Function::name);
  return found == functions_.end() ? nullptr : &*found;
}

}  // namespace bpfmark
