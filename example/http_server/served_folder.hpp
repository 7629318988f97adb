// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_HTTP_SERVER_SERVED_FOLDER_HPP
#define ROUSE_EXAMPLE_HTTP_SERVER_SERVED_FOLDER_HPP

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/beast/core/file_posix.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// From the target of a request to an open file that may be served.

// The path in a request target, from its first slash on and without percent signs; nothing if the
// target is malformed, or climbs out by "..". Of an absolute target (http://host/path) it is the
// path, whatever the host. An encoded slash is a slash.
inline std::optional<std::string> path_of(std::string_view target) {
    if (!target.starts_with('/')) {
        std::size_t const scheme = target.find("://");
        std::string_view const name = target.substr(0, scheme);
        if (scheme == target.npos ||
            !(boost::beast::iequals(name, "http") || boost::beast::iequals(name, "https")))
            return std::nullopt;
        target.remove_prefix(scheme + 3);
        std::size_t const host = std::min(target.find_first_of("/?#"), target.size());
        if (host == 0) return std::nullopt;
        target.remove_prefix(host);
    }
    std::string path;
    if (!target.starts_with('/')) path = '/';
    target = target.substr(0, target.find('?'));
    for (std::size_t i = 0; i != target.size(); ++i) {
        auto c = static_cast<unsigned char>(target[i]);
        if (c == '#') return std::nullopt;
        if (c == '%') {
            char const* const digits = target.data() + i + 1;
            if (target.size() - i < 3 ||
                std::from_chars(digits, digits + 2, c, 16).ptr != digits + 2)
                return std::nullopt;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || c == '\\') return std::nullopt;
        path += static_cast<char>(c);
    }
    if ((path + '/').find("/../") != path.npos) return std::nullopt;
    return path;
}

inline std::string_view type_of(std::string_view path) {
    static constexpr std::pair<std::string_view, std::string_view> types[] = {
        {".css", "text/css; charset=utf-8"},
        {".gif", "image/gif"},
        {".htm", "text/html; charset=utf-8"},
        {".html", "text/html; charset=utf-8"},
        {".ico", "image/x-icon"},
        {".jpeg", "image/jpeg"},
        {".jpg", "image/jpeg"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".pdf", "application/pdf"},
        {".png", "image/png"},
        {".svg", "image/svg+xml"},
        {".txt", "text/plain; charset=utf-8"},
        {".wasm", "application/wasm"},
        {".webp", "image/webp"},
        {".xml", "application/xml"},
    };
    std::string_view const extension = path.substr(path.find_last_of("./"));  // with its dot
    for (auto const& [known, type] : types)
        if (boost::beast::iequals(extension, known)) return type;
    return "application/octet-stream";
}

struct served_file {
    boost::beast::file_posix file;
    std::uint64_t size = 0;
    std::time_t modified = 0;
    std::string_view type;
};

class served_folder {
    using file = boost::beast::file_posix;
    template <class T>
    using result = boost::system::result<T>;

public:
    static result<served_folder> at(std::string const& path) {
        auto opened = owner(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!opened) return opened.error();
        return served_folder(*std::move(opened));
    }

    // What is to be served: a regular file below the folder, or the index.html of a directory. No
    // name on the way may begin with a dot. Symbolic links are followed if they stay below the
    // folder.
    result<served_file> open(std::string path) const {
        if (path.find("/.") != path.npos) return error(ENOENT);
        for (bool index = false;; index = true) {
            result<file> opened = open_beneath("." + path);
            if (!opened) return opened.error();
            struct stat status {};
            if (::fstat(opened->native_handle(), &status) != 0) return error(errno);
            if (S_ISREG(status.st_mode))
                return served_file{*std::move(opened), static_cast<std::uint64_t>(status.st_size),
                                   status.st_mtime, type_of(path)};
            if (!S_ISDIR(status.st_mode) || index) return error(ENOENT);
            path += "/index.html";
        }
    }

private:
    explicit served_folder(file folder) : folder_(std::move(folder)) {}

    // The kernel refuses what leads out, whatever the names and links on the way are, and however
    // they change meanwhile. O_NONBLOCK: a FIFO must not hold up the thread.
    result<file> open_beneath(std::string const& path) const {
        open_how how{};
        how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
        for (int tries = 0;; ++tries) {
            auto opened = owner(static_cast<int>(
                ::syscall(SYS_openat2, folder_.native_handle(), path.c_str(), &how, sizeof how)));
            if (opened) return opened;
            int const why = opened.error().value();
            if (why == ENOSYS || why == EPERM)
                return open_and_look(path, static_cast<int>(how.flags));
            // EAGAIN: something was renamed on the way through ".."
            if (why != EAGAIN || tries == 10) return opened;
        }
    }

    // For kernels and sandboxes without openat2. What is looked at is what was opened, and not a
    // name, which may mean something else a moment later. A way out that comes back is allowed
    // here.
    result<file> open_and_look(std::string const& path, int flags) const {
        auto opened = owner(::openat(folder_.native_handle(), path.c_str(), flags));
        if (!opened) return opened;
        std::string const folder = place_of(folder_), place = place_of(*opened);
        bool const beneath = place == folder || folder == "/" || place.starts_with(folder + '/');
        if (folder.empty() || place.empty() || !beneath) return error(EXDEV);
        return opened;
    }
    static std::string place_of(file const& of) {
        std::string const link = "/proc/self/fd/" + std::to_string(of.native_handle());
        std::string place(PATH_MAX, '\0');
        auto const size = ::readlink(link.c_str(), place.data(), place.size());
        place.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return place;
    }

    static result<file> owner(int descriptor) {
        if (descriptor < 0) return error(errno);
        file opened;
        opened.native_handle(descriptor);
        return opened;
    }
    static boost::system::error_code error(int number) {
        return {number, boost::system::system_category()};
    }

    file folder_;
};

#endif
