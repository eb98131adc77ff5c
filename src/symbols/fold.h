// Fold: the short form of a demangled name, for summaries.
//   std::vector<int, std::allocator<int> >::push_back(int const&)  ->  std::vector<>::push_back
// Left out are parameters, return types, qualifiers and ABI tags; template arguments become <>;
// a lambda keeps its number: {lambda(int)#1} -> {lambda#1}. What stands for itself stays:
// operators, conversion operators with their type, (anonymous namespace), Rust's <Type as Trait>. A
// name that makes no sense comes back as it is. Pure.
#pragma once

// A new string to free(), no longer than `name`; NULL with ENOMEM.
char *fold(const char *name);
