// A list whose elements have the links themselves: to join it and to leave it takes no memory, so
// neither can fail.
#pragma once

#include <cassert>
#include <cstddef>
#include <utility>

template <typename T>
class List;

/// What a T has to be to stand in a List<T>: in one at a time. It leaves the list when it is
/// destroyed.
template <typename T>
class Linked {
public:
    Linked(const Linked&) = delete;
    Linked& operator=(const Linked&) = delete;

    bool is_listed() const { return list_ != nullptr; }

    /// Does nothing when it is in no list.
    void leave_list() {
        if (list_ != nullptr) {
            list_->remove(*this);
        }
    }

protected:
    Linked() = default;
    ~Linked() { leave_list(); }

private:
    friend class List<T>;

    List<T>* list_ = nullptr;
    Linked* previous_ = nullptr;
    Linked* next_ = nullptr;
};

template <typename T>
class List {
public:
    List() = default;
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    /// The first element, or nullptr.
    T* front() const { return static_cast<T*>(first_); }

    /// The element behind this one, or nullptr.
    T* next(const T& element) const {
        return static_cast<T*>(static_cast<const Linked<T>&>(element).next_);
    }

    void push_back(T& element) { insert(element, nullptr); }

    /// Puts it in front of `next`, which is in this list, or at the end.
    void insert(T& element, T* next) {
        Linked<T>& linked = element;
        assert(linked.list_ == nullptr);
        linked.list_ = this;
        linked.next_ = next;
        linked.previous_ = std::exchange(link_back_to(linked.next_), &linked);
        link_on_from(linked.previous_) = &linked;
        ++size_;
    }

    /// Takes the first element out. There must be one.
    T& pop_front() {
        T& first = *front();
        remove(first);
        return first;
    }

private:
    friend class Linked<T>;

    void remove(Linked<T>& linked) {
        assert(linked.list_ == this);
        link_back_to(linked.next_) = linked.previous_;
        link_on_from(linked.previous_) = linked.next_;
        linked.list_ = nullptr;
        --size_;
    }

    /// The pointer that leads forward behind this element; for nullptr, the one at the beginning.
    Linked<T>*& link_on_from(Linked<T>* linked) { return linked ? linked->next_ : first_; }

    /// The pointer that leads back in front of this element; for nullptr, the one at the end.
    Linked<T>*& link_back_to(Linked<T>* linked) { return linked ? linked->previous_ : last_; }

    Linked<T>* first_ = nullptr;
    Linked<T>* last_ = nullptr;
    std::size_t size_ = 0;
};
