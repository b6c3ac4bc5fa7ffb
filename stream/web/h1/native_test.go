//go:build !portable && linux

package h1_test

const spare = 0
