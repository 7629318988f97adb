// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_ABI_HPP
#define ROUSE_DETAIL_ABI_HPP

#include <boost/asio/detail/config.hpp>
#include <boost/version.hpp>
#include <rouse/config.hpp>

// A program must agree with the compiled library about Boost's version and Asio's configuration:
// both change the layout of what they share. Each translation unit that includes this refers to
// the symbol whose name spells its own configuration, and the library defines only the symbol of
// the one that it was built with. A program that differs therefore does not link, and the linker's
// message names what it wanted: built_with<boost<...>, ...>::here.

namespace rouse::detail {

// Visible, all of them: a template is no more visible than its arguments.
template <int Version>
struct ROUSE_DECL boost_version;
struct ROUSE_DECL reactor_epoll;
struct ROUSE_DECL reactor_io_uring;
struct ROUSE_DECL reactor_other;
struct ROUSE_DECL with_threads;
struct ROUSE_DECL without_threads;
struct ROUSE_DECL with_handler_tracking;
struct ROUSE_DECL without_handler_tracking;

template <class Version, class Reactor, class Threads, class Tracking>
struct ROUSE_DECL built_with {
    static char const here;
};

using this_configuration = built_with<boost_version<BOOST_VERSION>,
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
                                      reactor_io_uring,
#elif defined(BOOST_ASIO_HAS_EPOLL)
                                      reactor_epoll,
#else
                                      reactor_other,
#endif
#if defined(BOOST_ASIO_HAS_THREADS)
                                      with_threads,
#else
                                      without_threads,
#endif
#if defined(BOOST_ASIO_ENABLE_HANDLER_TRACKING)
                                      with_handler_tracking
#else
                                      without_handler_tracking
#endif
                                      >;

// Kept in the object file, and by a linker that drops what nobody refers to (--gc-sections).
[[gnu::used, gnu::retain]] inline char const* const configuration = &this_configuration::here;

}  // namespace rouse::detail

#endif
