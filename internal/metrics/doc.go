// Package metrics counts, for operators, what a program does, and shows it in
// Prometheus' text format. It is the one door of the Prometheus library: other
// packages see counters, histograms and gauges, and none of them need exist.
//
// Label values come from closed sets or bounded tables, never from a request, a
// person or a certificate.
package metrics
