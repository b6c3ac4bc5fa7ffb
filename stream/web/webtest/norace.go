//go:build !race

package webtest

const race = false
