#include "profile/suppressions.h"

#include <string.h>

// What is allocated once, on purpose, for as long as the process lives, and to which no pointer
// need be left: seen in programs that have no leak of their own, or told by the library's own
// documents (GLib's glib.supp). Looked for only as long as a stack is in these libraries, from the
// allocation outward: what programs do in functions that these call is their own.
static const char known[] =
    // glibc: messages of dlerror(), tables of locales and of name services.
    "leak:^_dlerror_run$\n"
    "leak:^_nl_intern_locale_data$\n"
    "leak:^__nss_module_allocate$\n"
    "leak:^nss_parse_service_list$\n"
    // libstdc++: the memory for exceptions when there is none.
    "leak:__gnu_cxx::__freeres\n"
    "leak:(anonymous namespace)::pool::pool\n"
    // GLib: types, quarks, interned strings, per-thread data, default contexts.
    "leak:^g_type_init*\n"
    "leak:^g_type_register_*\n"
    "leak:^g_type_add_interface_*\n"
    "leak:^g_type_class_ref$\n"
    "leak:^type_node_*\n"
    "leak:^g_quark_*\n"
    "leak:^g_intern_*\n"
    "leak:^g_private_impl_new$\n"
    "leak:^g_system_thread_new$\n"
    "leak:^g_get_language_names*\n"
    "leak:^g_get_charset*\n"
    "leak:^g_get_home_dir$\n"
    "leak:^g_main_context_default$\n";

int suppressions_add_known(struct suppressions *self)
{
    struct suppressions_problem problem;
    return suppressions_add(self, SUPPRESSION_KNOWN, "mete's own list", known, strlen(known),
                            &problem);
}
