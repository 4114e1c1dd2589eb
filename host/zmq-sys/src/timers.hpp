// Comes before every file of libzmq, to mend how it cancels timers. In 4.3.5 that looks at one timer of the I/O thread
// after the other until it comes to the right one. Each peer has a timer for its heartbeats, and each answer to a heartbeat
// cancels another one, so n peers cost n times n steps: with ten thousand of them, most of a processor.
//
// The timers are a `std::multimap` by the time at which they expire. While that class is read, the name stands for one that
// finds a timer by its owner too; and an overload of `cancel_timer` for exactly the type that it is called with uses that.

#if __has_include("poller_base.hpp")
#include "precompiled.hpp"

#include <map>
#include <utility>

#include "atomic_counter.hpp"
#include "clock.hpp"
#include "ctx.hpp"

namespace std
{
template <typename expiration_t, typename info_t> class timers_by_owner_t : public multimap<expiration_t, info_t>
{
    typedef multimap<expiration_t, info_t> base_t;

  public:
    typedef typename base_t::iterator iterator;
    typedef typename base_t::value_type value_type;

    iterator insert (const value_type &timer_)
    {
        const iterator place = base_t::insert (timer_);
        _places.insert (make_pair (owner (timer_.second.sink, timer_.second.id), place));
        return place;
    }

    void erase (iterator place_)
    {
        const owner_t key = owner (place_->second.sink, place_->second.id);
        for (typename places_t::iterator it = _places.lower_bound (key); it != _places.end () && it->first == key; ++it)
            if (it->second == place_) {
                _places.erase (it);
                break;
            }
        base_t::erase (place_);
    }

    template <typename sink_t> void cancel (sink_t *sink_, int id_)
    {
        const typename places_t::iterator it = _places.find (owner (sink_, id_));
        if (it != _places.end ()) {
            base_t::erase (it->second);
            _places.erase (it);
        }
    }

  private:
    typedef pair<const void *, int> owner_t;
    typedef multimap<owner_t, iterator> places_t;

    static owner_t owner (const void *sink_, int id_) { return owner_t (sink_, id_); }

    places_t _places;
};
}

#define multimap timers_by_owner_t
#define cancel_timer(...)                                                                                              \
    cancel_timer (__VA_ARGS__);                                                                                        \
    template <typename sink_t> void cancel_timer (sink_t *sink_, int id_)                                              \
    {                                                                                                                  \
        _timers.cancel (static_cast<i_poll_events *> (sink_), id_);                                                    \
    }
#include "poller_base.hpp"
#undef cancel_timer
#undef multimap
#endif
