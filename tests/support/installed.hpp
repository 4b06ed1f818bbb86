// A server that is installed in a folder of its own, and can be replaced there by its next version.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "check.hpp"
#include "fd.hpp"
#include "support/chapter.hpp"

/// A folder that is gone with its owner.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = std::filesystem::temp_directory_path() / "accept-XXXXXX";
        check(::mkdtemp(name.data()) ? 0 : -1, "mkdtemp");
        path_ = name;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// A copy of the server of a chapter. Each new version takes the old one's place by a rename, as a
/// package manager does it: the file that a process runs cannot be written to.
class Installed {
public:
    explicit Installed(const Chapter& original) : original_(original), chapter_(original) {
        chapter_.server = folder_.path() / "server";
        install();
    }

    /// The chapter with this copy as its server.
    const Chapter& chapter() const { return chapter_; }

    const std::filesystem::path& folder() const { return folder_.path(); }

    /// The chapter's server, once more.
    void install() {
        std::filesystem::copy_file(original_.server, next());
        std::filesystem::rename(next(), chapter_.server);
    }

    /// A shell script, in which `$SERVER` is the chapter's server.
    void install_script(const std::string& text) {
        std::ofstream(next()) << "#!/bin/sh\nSERVER='" << original_.server.string() << "'\n"
                              << text << '\n';
        std::filesystem::permissions(next(), std::filesystem::perms::owner_all);
        std::filesystem::rename(next(), chapter_.server);
    }

    void remove() { std::filesystem::remove(chapter_.server); }

private:
    std::filesystem::path next() const { return folder_.path() / "next"; }

    TemporaryFolder folder_;
    Chapter original_;
    Chapter chapter_;
};

/// Where a script stops until the test lets it go on: two named pipes in a folder.
class Gate {
public:
    explicit Gate(const std::filesystem::path& folder)
        : reached_(folder / "reached"), opened_(folder / "opened") {
        for (const std::filesystem::path& pipe : {reached_, opened_}) {
            check(::mkfifo(pipe.c_str(), 0600), "mkfifo");
        }
        // Open for both, so that neither side waits for the other to open it.
        sign_ = Fd{check(::open(reached_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC), "open")};
        go_ = Fd{check(::open(opened_.c_str(), O_RDWR | O_CLOEXEC), "open")};
    }

    /// What stands in the script.
    std::string words() const {
        return "echo here >'" + reached_.string() + "'; read go <'" + opened_.string() + "'; ";
    }

    bool is_reached() const {
        char byte = 0;
        return ::read(sign_.get(), &byte, 1) == 1;
    }

    void open() const { check(::write(go_.get(), "go\n", 3), "write"); }

private:
    std::filesystem::path reached_;
    std::filesystem::path opened_;
    Fd sign_;
    Fd go_;
};
