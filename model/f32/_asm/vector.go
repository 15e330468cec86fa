package main

import "github.com/mmcloughlin/avo/build"

func vector(c *build.Context, s set) {
}
