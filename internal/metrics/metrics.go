package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds a program's figures. A nil Registry takes everything and shows
// nothing, so that packages need not ask whether anybody looks.
type Registry struct{ registry *prometheus.Registry }

// New returns a registry with the figures that every Go program has.
func New() *Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Registry{r}
}

// Handler serves the figures as text.
func (r *Registry) Handler() http.Handler {
	if r == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Counter is a number that only grows, one for each combination of its labels'
// values. Those must come from closed sets.
type Counter struct{ vec *prometheus.CounterVec }

// Counter makes a counter. A name can be made once; twice is a mistake of the
// program and panics at start.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	if r == nil {
		return nil
	}
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.registry.MustRegister(c)
	if len(labels) == 0 {
		c.WithLabelValues() // zero is shown from the start
	}
	return &Counter{c}
}

// Inc adds one.
func (c *Counter) Inc(values ...string) {
	if c != nil {
		c.vec.WithLabelValues(values...).Inc()
	}
}

// Histogram counts how often a value was below each of its bounds.
type Histogram struct{ vec *prometheus.HistogramVec }

// Histogram makes a histogram; see Counter.
func (r *Registry) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	if r == nil {
		return nil
	}
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	r.registry.MustRegister(h)
	return &Histogram{h}
}

// Observe counts a value.
func (h *Histogram) Observe(value float64, values ...string) {
	if h != nil {
		h.vec.WithLabelValues(values...).Observe(value)
	}
}

// Gauges makes numbers that are looked up whenever somebody asks: collect calls
// set once for each combination of the labels' values.
func (r *Registry) Gauges(name, help string, labels []string, collect func(set func(value float64, values ...string))) {
	if r != nil {
		r.registry.MustRegister(&gauges{prometheus.NewDesc(name, help, labels, nil), collect})
	}
}

// gauges is a collector with one description.
type gauges struct {
	desc    *prometheus.Desc
	collect func(set func(value float64, values ...string))
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) { out <- g.desc }

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	g.collect(func(value float64, values ...string) {
		out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, values...)
	})
}
