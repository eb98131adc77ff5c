#include "profile/wrappers.h"

#include "profile/pattern.h"

// clang-format off
static const char *const of_libc[] = {
    "malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "aligned_alloc", "memalign",
    "posix_memalign", "valloc", "pvalloc", "free_sized", "free_aligned_sized",
    "__libc_*alloc*", "__libc_memalign", "__libc_free", "__GI___libc_*", "_int_malloc",
    "strdup", "strndup", "wcsdup", "__strdup", "__strndup", "asprintf", "vasprintf", "__asprintf*",
    "__vasprintf*", "_IO_vasprintf", "getline", "getdelim", "__getdelim", "__getline",
    "_IO_getdelim", "_IO_getline*", "getwline", "_IO_*doallocat*", "_IO_doallocbuf", "_IO_setb",
    "_obstack_*", "obstack_*", NULL,
};
static const char *const of_allocators[] = {
    "mallocx", "rallocx", "xallocx", "dallocx", "sdallocx", "je_*alloc*", "mi_*alloc*",
    "tc_*alloc*", "tc_new*", "mi_new*", "scalloc", "smallocx*", NULL,
};
static const char *const of_cplusplus[] = {
    "operator new*", "operator delete*", "*::operator new*", "*::operator delete*", "std::*",
    "__gnu_cxx::*", "__cxxabiv1::*", "__cxa_allocate_exception", "__cxa_allocate_dependent_*",
    "abi::*", "boost::container::*", "boost::*allocator*", "absl::container_internal::*",
    "absl::*_internal::*alloc*", "llvm::safe_*alloc", "llvm::allocate_buffer",
    "llvm::SmallVectorBase*", "llvm::SmallVectorTemplateBase*", "llvm::BumpPtrAllocatorImpl*",
    "QArrayData::*", "QTypedArrayData*", "QArrayDataPointer*", "QListData::*", "QHashData::*",
    "QMapDataBase::*", "QVectorData::*", "qMalloc*", "v8::base::Malloc", "v8::base::Calloc",
    "v8::internal::Al*WithRetry", "v8::internal::NewArray*", "node::*Malloc*",
    "node::UncheckedCalloc*", NULL,
};
// A trait of Rust's library on a type of its own; anybody's trait on it is theirs.
#define OF_RUST(type) "<" type " as core::*", "<" type " as std::*"
static const char *const of_rust[] = {
    "__rust_alloc*", "__rust_realloc", "__rg_alloc*", "__rg_realloc", "__rdl_alloc*",
    "__rdl_realloc", "__rustc::__r*", "alloc::alloc::*", "alloc::borrow::*", "alloc::boxed::*",
    "alloc::collections::*", "alloc::ffi::*", "alloc::fmt::*", "alloc::raw_vec::*", "alloc::rc::*",
    "alloc::slice::*", "alloc::str::*", "alloc::string::*", "alloc::sync::*", "alloc::vec::*",
    "core::alloc::*", "core::array::*", "core::clone::*", "core::convert::*", "core::fmt::*",
    "core::iter::*", "core::mem::*", "core::ops::*", "core::option::*", "core::ptr::*",
    "core::result::*", "core::slice::*", "core::str::*", "hashbrown::*", "<alloc::*",
    "<* as alloc::*", "<core::*", "<std::*", "<hashbrown::*", OF_RUST("T"), OF_RUST("I"),
    OF_RUST("[T]"), OF_RUST("str"), OF_RUST("<*"), OF_RUST("u?"), OF_RUST("u??"), OF_RUST("u???"),
    OF_RUST("usize"), OF_RUST("i?"), OF_RUST("i??"), OF_RUST("i???"), OF_RUST("isize"),
    OF_RUST("f??"), OF_RUST("bool"), OF_RUST("char"), OF_RUST("()"), OF_RUST("&*"),
    "<* as core::ops::function::*", NULL,
};
static const char *const of_xmalloc[] = {
    "xmalloc*", "xcalloc*", "xrealloc*", "xzalloc*", "xnmalloc*", "xnrealloc*", "x2*realloc",
    "xpalloc", "ximalloc", "xicalloc", "xirealloc*", "xmemdup*", "xstrdup*", "xstrndup*",
    "xasprintf*", "xvasprintf*", "xcharalloc", "xmalloc_*", "do_xmalloc", "emalloc", "erealloc",
    "estrdup", "ecalloc", "safe_malloc", "safe_calloc", "safe_realloc", "safe_strdup", "ckalloc",
    "ckrealloc", "ggc_internal_*alloc*", "ggc_*alloc*", "ggc_realloc",
    "va_heap::reserve*", "vec<>::reserve*", NULL,
};
static const char *const of_glib[] = {
    "g_malloc*", "g_try_malloc*", "g_realloc*", "g_try_realloc*", "g_aligned_alloc*", "g_slice_*",
    "g_strdup*", "g_strndup", "g_strconcat", "g_memdup*", "g_vasprintf", NULL,
};
static const char *const of_python[] = {
    "PyMem_*", "_PyMem_*", "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc",
    "PyObject_Free", "_PyObject_Malloc", "_PyObject_Calloc", "_PyObject_Realloc",
    "_PyObject_New", "_PyObject_NewVar", "_PyObject_GC_*", "_PyObject_Alloc*", "gc_alloc",
    "PyObject_GC_*", "PyType_GenericAlloc", "_PyType_AllocNoTrack", "pymalloc_*",
    "_Py_NewReference*", NULL,
};
static const char *const of_others[] = {
    "mete_track",
    "sqlite3Malloc*", "sqlite3MemMalloc", "sqlite3MemRealloc", "sqlite3_malloc*",
    "sqlite3_realloc*", "sqlite3Realloc*", "sqlite3DbMalloc*", "sqlite3DbRealloc*",
    "sqlite3DbStrDup", "sqlite3DbStrNDup", "sqlite3DbSpanDup", "mallocWithAlarm",
    "dbMallocRawFinish", "dbReallocFinish", "pcache1Alloc", "Perl_safesys*", "Perl_malloc",
    "Perl_calloc", "Perl_realloc", "Perl_savepv*", "Perl_savesharedpv*", "l_alloc", "luaM_*",
    "zmalloc*", "zcalloc*", "zrealloc*", "ztry*alloc*", "zstrdup", "apr_palloc*", "apr_pcalloc*",
    "apr_allocator_alloc", "apr_pstr*dup", "ngx_alloc", "ngx_calloc", "ngx_palloc*", "ngx_pnalloc",
    "ngx_pcalloc", "ngx_memalign", "CRYPTO_*alloc*", "CRYPTO_strdup", "CRYPTO_strndup",
    "CRYPTO_memdup", "OPENSSL_*alloc*", "xmlStrdup", "xmlStrndup", "xmlMemMalloc", "talloc_*",
    "_talloc_*", "__talloc*", "uv__malloc", "uv__calloc", "uv__realloc", "uv__strdup", "_emalloc*",
    "_erealloc*", "_ecalloc*", "_estrdup*", "_safe_*alloc*", "__zend_malloc", "__zend_calloc",
    "palloc", "palloc0", "palloc_extended", "repalloc*", "pstrdup", "MemoryContextAlloc*",
    "AllocSetAlloc*", "AllocSetContextCreate*", "ruby_xmalloc*", "ruby_xcalloc*", "ruby_xrealloc*",
    "objspace_x*alloc*", "rb_*xmalloc*", "jsonp_malloc", "json_object_malloc", "av_malloc*",
    "av_mallocz*", "av_realloc*", "av_calloc", "AcquireAlignedMemory", "AcquireCriticalMemory",
    "AcquireMagickMemory", "AcquireQuantumMemory", "AcquireString", "AcquireVirtualMemory",
    "CloneString", "ConstantString", "ResizeMagickMemory", "ResizeQuantumMemory",
    "av_buffer_alloc*", "av_buffer_realloc", "av_fast_malloc*", "av_strdup", "av_memdup",
    "av_dynarray*", "qemu_memalign", "qemu_try_memalign", "scm_malloc", "scm_calloc", "scm_realloc",
    "scm_gc_malloc*", "scm_gc_realloc", "Tcl_Alloc", "Tcl_Realloc", "Tcl_Attempt*lloc", "TclpAlloc",
    "TclpRealloc", "__gmp_default_allocate", "__gmp_default_reallocate", "_objalloc_alloc",
    "objalloc_create", "caml_stat_alloc*", "caml_stat_calloc*", "caml_stat_resize*",
    "caml_stat_strdup*", "caml_alloc_for_heap", "os::malloc", "os::realloc", "os::strdup*",
    "AllocateHeap", "ReallocateHeap", "NMTPreInit*", NULL,
};
// clang-format on

const struct wrapper_group wrapper_groups[] = {
    {"the C library", of_libc},
    {"other allocators", of_allocators},
    {"C++", of_cplusplus},
    {"Rust", of_rust},
    {"xmalloc and its like", of_xmalloc},
    {"GLib", of_glib},
    {"Python", of_python},
    {"others", of_others},
};
const size_t wrapper_groups_count = sizeof wrapper_groups / sizeof *wrapper_groups;

const char *const wrapper_modules[] = {
    "libmete*.so*", "libc.so.*",      "libc-2.*.so",     "ld-linux-*.so.*",
    "ld-2.*.so",    "libstdc++.so.*", "libc++.so.*",     "libc++abi.so.*",
    "libm.so.*",    "libgcc_s.so.*",  "libpthread.so.*", NULL,
};

// Hundreds of patterns are tried on each function; most differ in the first letter.
static bool may_match(const char *pattern, const char *text)
{
    return *pattern == *text || *pattern == '*' || *pattern == '?';
}

static bool matches_any(const char *const *patterns, const char *text)
{
    for (; *patterns; patterns++) {
        if (may_match(*patterns, text) && pattern_matches(*patterns, text)) return true;
    }
    return false;
}

bool wrapper_is_function(const char *name)
{
    for (size_t i = 0; i < wrapper_groups_count; i++) {
        if (matches_any(wrapper_groups[i].patterns, name)) return true;
    }
    return false;
}

bool wrapper_is_base_module(const char *module)
{
    static const char *const base[] = {"libmete*.so*",    "libc.so.*", "libc-2.*.so",
                                       "ld-linux-*.so.*", "ld-2.*.so", NULL};
    return matches_any(base, module);
}

bool wrapper_is_module(const char *module)
{
    return matches_any(wrapper_modules, module);
}
