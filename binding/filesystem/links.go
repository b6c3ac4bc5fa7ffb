package filesystem

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// linksMost is how many links there may be on the way to a file, as the system has it.
const linksMost = 40

// placesOf are the elements of a folder's path: as it is written, and as it is where none of them is a link.
func placesOf(folder string) (places [][]string) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil
	}
	places = append(places, elements(folder))
	if real, err := filepath.EvalSymlinks(folder); err == nil && real != folder {
		places = append(places, elements(real))
	}
	return places
}

// elements are those of a path that matter.
func elements(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(e string) bool { return e == "" || e == "." })
}

// below gives what is left of an absolute path below the root, by its letters alone.
func (r *root) below(path string) ([]string, bool) {
	all := elements(path)
	for _, place := range r.places {
		if len(all) >= len(place) && slices.Equal(all[:len(place)], place) {
			return all[len(place):], true
		}
	}
	return nil, false
}

// detour is another name of what could not be opened by a name because that leads out of the root, to all appearances: the
// one to which links lead, also those that are absolute, which a root takes none of. It is no more than a name. Whoever
// opens it does so below the root again, whatever has come to be a link meanwhile.
func (s *server) detour(r *root, name string, because error) (string, bool) {
	if because == nil || !s.follow || !leadsOut(because) {
		return "", false
	}
	var at []string
	links := 0
	for rest := elements(name); len(rest) > 0; {
		element := rest[0]
		rest = rest[1:]
		if element == ".." {
			if len(at) == 0 {
				return "", false
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, element)
		target, err := r.Readlink(strings.Join(at, "/"))
		if errors.Is(err, syscall.EINVAL) { // it is no link
			continue
		}
		if links++; err != nil || links > linksMost {
			return "", false
		}
		at = at[:len(at)-1]
		way := elements(target)
		if filepath.IsAbs(target) {
			var ok bool
			if way, ok = r.below(target); !ok {
				return "", false
			}
			at = at[:0]
		}
		rest = slices.Concat(way, rest)
	}
	return strings.Join(at, "/"), true
}

// leadsOut reports whether something has failed because a name leads out of the root.
func leadsOut(err error) bool {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no == syscall.EXDEV
	}
	var path *fs.PathError // that of a root has no number
	return errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist)
}

// stat tells what there is where a name leads to.
func (s *server) stat(r *root, name string) (fs.FileInfo, error) {
	info, err := r.Stat(strings.TrimSuffix(name, "/"))
	if name, ok := s.detour(r, name, err); ok {
		return r.Stat(dot(name))
	}
	return info, err
}

// dot is a name as the system has it, to which "" is none.
func dot(name string) string {
	if name == "" {
		return "."
	}
	return name
}
