package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"gozilla/binding"
	"gozilla/stream"
)

// retire deals with what a change leaves behind: streams as their bindings say, and instances that go once no stream is
// at them any more. Connections that serve one stream after the other, and lose something, are not used for another one,
// whatever the bindings say.
func (e *Engine) retire(d *draft) {
	if len(d.lost.nodes) == 0 && len(d.lost.ways) == 0 {
		e.let(d.gone, nil)
		return
	}
	drain, closes := d.lost.meets(binding.Drain), d.lost.meets(binding.Close)
	draining := false
	e.host.Scopes(func(s *stream.Scope) {
		if s.Pooled() {
			s.LeaveWhere(d.lost.loses)
		}
		s.CancelWhere(closes, stream.ErrDrained)
		draining = draining || s.Has(drain)
	})
	e.let(d.gone, &d.lost)
	e.mu.Lock()
	drains := e.drains
	e.mu.Unlock()
	if draining && drains != nil {
		drains.start(func(ctx context.Context) { e.drain(ctx, drain) })
	}
}

// drain asks the streams that match to leave, and ends those that are left when the time of the limit drain is over. It
// gives up with ctx.
func (e *Engine) drain(ctx context.Context, match stream.Match) {
	late := time.NewTimer(e.host.Limits.Drain)
	defer late.Stop()
	e.ask(ctx, e.scopes(match), func(s *stream.Scope) { s.LeaveWhere(match) })
	select {
	case <-late.C:
		e.end(ctx, e.scopes(match), match)
	case <-ctx.Done():
	}
}

// drains are the goroutines that drain what changes have left behind. They end with the engine.
type drains struct {
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
}

func newDrains() *drains {
	d := &drains{}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

func (d *drains) start(f func(context.Context)) { d.wg.Go(func() { f(d.ctx) }) }

func (d *drains) end() {
	d.stop()
	d.wg.Wait()
}

// scopes are the connections that match, or on which an exchange does.
func (e *Engine) scopes(match stream.Match) (all []*stream.Scope) {
	e.host.Scopes(func(s *stream.Scope) {
		if s.Has(match) {
			all = append(all, s)
		}
	})
	return all
}

// ask has f ask streams to leave, at a rate.
func (e *Engine) ask(ctx context.Context, all []*stream.Scope, f func(*stream.Scope)) {
	spread(ctx, all, int(e.host.Limits.Leaving), e.host.Limits.Drain/2, f)
}

// end cancels the streams that match, at a rate.
func (e *Engine) end(ctx context.Context, all []*stream.Scope, match stream.Match) {
	spread(ctx, all, int(e.host.Limits.Leaving), cutWithin, func(s *stream.Scope) { s.CancelWhere(match, stream.ErrDrained) })
}

// beat is how often spread does some of its work.
const beat = 20 * time.Millisecond

// spread calls f for each, at most rate in a second, faster where that would take longer than within. It gives up with
// ctx.
func spread(ctx context.Context, all []*stream.Scope, rate int, within time.Duration, f func(*stream.Scope)) {
	if len(all) == 0 {
		return
	}
	beats := max(1, int(within/beat))
	each := max(1, rate*int(beat)/int(time.Second), (len(all)+beats-1)/beats)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		n := min(each, len(all))
		for _, s := range all[:n] {
			f(s)
		}
		if all = all[n:]; len(all) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookEvery is how often instances are looked at that are to go.
const lookEvery = time.Second

// let lets instances go, and whatever goes the ways that are lost. An instance goes when no stream was at it for two looks,
// so that one that was on its way to it has come, and when no other that is still there leads to it or holds it.
func (e *Engine) let(gone []*instance, lost *lost) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leaving = append(e.leaving, gone...)
	if lost != nil {
		lost.until = time.Now().Add(e.host.Limits.Dial + 2*lookEvery)
		e.losses = append(e.losses, lost)
	}
	if !e.looking && len(e.leaving)+len(e.losses) > 0 && e.drains != nil {
		e.looking = true
		e.drains.start(e.look)
	}
}

// look is the goroutine that looks after what is to go. It ends with the last of it.
func (e *Engine) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		e.host.Scopes(e.leaveLost)
		gone, over := e.idle()
		for _, in := range gone {
			in.close()
		}
		if over {
			return
		}
	}
}

// leaveLost asks a connection of a pool to leave that was dialled while its way was lost.
func (e *Engine) leaveLost(s *stream.Scope) {
	if !s.Pooled() {
		return
	}
	e.mu.Lock()
	losses := e.losses
	e.mu.Unlock()
	for _, lost := range losses {
		s.LeaveWhere(lost.loses)
	}
}

// idle takes out the instances that can go now, and tells whether nothing is left to look after.
func (e *Engine) idle() (gone []*instance, over bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.losses = slices.DeleteFunc(slices.Clone(e.losses), func(l *lost) bool { return now.After(l.until) })
	for _, in := range e.leaving {
		if in.quiet++; in.active() > 0 {
			in.quiet = 0
		}
	}
	for {
		i := slices.IndexFunc(e.leaving, func(in *instance) bool { return in.quiet > 1 && !e.needed(in) })
		if i < 0 {
			e.looking = len(e.leaving)+len(e.losses) > 0
			return gone, !e.looking
		}
		gone = append(gone, e.leaving[i])
		e.leaving = slices.Delete(e.leaving, i, i+1)
	}
}

// needed reports whether another instance that is to go leads to in, or holds it. The lock is held.
func (e *Engine) needed(in *instance) bool {
	return slices.ContainsFunc(e.leaving, func(by *instance) bool {
		return slices.Contains(by.exits, in) || slices.Contains(by.parts, in)
	})
}
