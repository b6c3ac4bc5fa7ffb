// Package file is the protocol of files below a folder: opened, listed, written, deleted, and waited for. It is only
// sought: a binding asks for a file by its name, and what it gets is one version of it.
//
//	Open ──▶ File: Section, Check, Newer, Close      one version, read by pieces
//	Write ─▶ Writer: Write, Commit, Close            a version is there as a whole, or not at all
//	List, MakeDir, Delete
//
// A version has a tag, which is another one when the content is. Who changes a file says on which condition, by the
// version that is there ([If]), and is asked again at the moment when the change is made: so of two who have read the
// same version, only one can replace it.
package file
