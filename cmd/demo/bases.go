package main

import _ "embed"

// demoBases are the legal bases of exchange between the demo's offices, one in force and one that is over.
//
//go:embed bases.csv
var demoBases string
