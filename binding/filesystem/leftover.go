package filesystem

import (
	"io"
	"os"
)

// sweep removes what killed gateways have left in a folder, and reports whether nothing else is there.
func sweep(in *os.Root, name string) bool {
	at, err := enter(in, name)
	if err != nil {
		return false
	}
	defer at.Close()
	all, ok := leftovers(at)
	if !ok {
		return false
	}
	for _, name := range all {
		if !removeLeftover(at, name) {
			return false
		}
	}
	return true
}

// leftovers are the names in a folder that has only those of versions that are not whole, and not too many.
func leftovers(in *os.Root) (all []string, ok bool) {
	dir, err := in.Open(".")
	if err != nil {
		return nil, false
	}
	defer dir.Close()
	for len(all) <= listMost {
		found, err := dir.ReadDir(listStep)
		for _, d := range found {
			if !isUnfinished(d.Name()) {
				return nil, false
			}
			all = append(all, d.Name())
		}
		if err != nil {
			return all, err == io.EOF
		}
	}
	return nil, false
}

// removeLeftover removes a version that is not whole, unless somebody writes it: then it is locked, by this process or
// another one.
func removeLeftover(in *os.Root, name string) bool {
	info, err := in.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := in.OpenFile(name, readFlags, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return lock(f) == nil && in.Remove(name) == nil
}
