// Package filesystem is the binding that has the files below a folder, for bindings that ask for them.
//
//	http-filesystem ──files──▶ filesystem server ══▶ /var/www/…
//
// Nothing outside of the folder, the location, is ever opened, whatever a name says: no part of a name is "..", and a
// symbolic link is not there (symlinks: ignore), or leads to where it points as long as that is below the location
// (follow): by a path relative to its own folder that does not leave the location, or by one that begins with that of the
// location. Only regular files and folders are there.
//
// The location may vanish and come back, or be exchanged for another folder, also by a symbolic link that it is. While it
// is not there, nothing can be had (503). It is looked at again before each change, so that none goes into the folder of
// before; an upload that was begun there is refused when it is whole (503). Who reads may have a file of before for 50 ms.
//
// A file is read in one version. Its tag is the MD5 of all of its content, as hexadecimal digits; of a file of more than
// 256 KiB, it is made of its size, its times and its inode instead, so that it is not read for that. Who writes into a file
// in place, while it is sent, breaks that off; a file that is replaced, by renaming another one to its name, is sent as it
// was. For 20 ms after a file was written to, who opens it waits, since its times would not tell if it was written to
// again.
//
// What is written goes to a file of its own beside, .gozilla-unfinished-…, which then takes the name at once: who reads
// gets all of the old version or all of the new one. It takes over the permissions of the one before, its owner and
// group as far as the gateway may give files away (root may; others may set a group of their own), and the name if that was
// a link. A file that is new belongs to the gateway. A version that is broken off, or has no room, leaves nothing. Files that are not finished are not
// listed and cannot be asked for, nor deleted by name. What is left of one when the gateway was killed goes with its folder:
// a folder that has nothing else in it is deleted as an empty one is. One that is still written to stays, with its folder;
// that it is, a lock (flock) tells, which other gateways heed too.
//
// Who waits for a change is told of it within a tenth of a second, once the file has not changed for 50 ms; of what was
// written through the gateway at once. Up to 1,024 files can be waited for, by any number of clients each. A folder of
// more than 65,536 entries is not listed.
//
// # Different from zilla
//
//   - The location cannot be left, by .. or by links.
//   - The tag is that of all of the content, not of the beginning, and known for HEAD too.
//   - A file is made as one is written: as a whole.
//   - Lists of folders are sorted by name.
//   - A location that is served by http or https is not built yet, and the property
//     zilla.binding.filesystem.server.root does nothing: start the gateway where relative locations begin.
package filesystem
