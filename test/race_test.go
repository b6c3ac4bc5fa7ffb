//go:build race

package test

// raced tells that the tests look for data races, and so does the gozilla that they run.
const raced = true
