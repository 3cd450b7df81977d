package metrics

import (
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds a program's figures. A nil Registry takes everything and shows
// nothing, so that packages need not ask whether anybody looks.
type Registry struct {
	registry *prometheus.Registry

	mu         sync.Mutex
	counters   map[string]*Counter
	histograms map[string]*Histogram
	gauges     map[string]*gauges
}

// New returns a registry with the figures that every Go program has.
func New() *Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Registry{registry: r, counters: map[string]*Counter{}, histograms: map[string]*Histogram{}, gauges: map[string]*gauges{}}
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

// Counter returns the counter of that name, making it when first asked for; the
// labels are then fixed.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.counters[name]; c != nil {
		return c
	}
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.registry.MustRegister(c)
	r.counters[name] = &Counter{c}
	return r.counters[name]
}

// Inc adds one.
func (c *Counter) Inc(values ...string) { c.Add(1, values...) }

// Add adds n, which is not negative; 0 has the counter shown.
func (c *Counter) Add(n float64, values ...string) {
	if c != nil {
		c.vec.WithLabelValues(values...).Add(n)
	}
}

// Histogram counts how often a value was below each of its bounds.
type Histogram struct{ vec *prometheus.HistogramVec }

// Histogram returns the histogram of that name; see Counter.
func (r *Registry) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.histograms[name]; h != nil {
		return h
	}
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	r.registry.MustRegister(h)
	r.histograms[name] = &Histogram{h}
	return r.histograms[name]
}

// Observe counts a value.
func (h *Histogram) Observe(value float64, values ...string) {
	if h != nil {
		h.vec.WithLabelValues(values...).Observe(value)
	}
}

// Gauges makes numbers that are looked up whenever somebody asks: collect calls
// set once for each combination of the labels' values. Several may add to one
// name, with different values.
func (r *Registry) Gauges(name, help string, labels []string, collect func(set func(value float64, values ...string))) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gauges[name]
	if g == nil {
		g = &gauges{desc: prometheus.NewDesc(name, help, labels, nil)}
		r.gauges[name] = g
		r.registry.MustRegister(g)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.collect = append(g.collect, collect)
}

// gauges is a collector with one description.
type gauges struct {
	desc    *prometheus.Desc
	mu      sync.Mutex
	collect []func(set func(value float64, values ...string))
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) { out <- g.desc }

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	g.mu.Lock()
	all := slices.Clone(g.collect)
	g.mu.Unlock()
	for _, collect := range all {
		collect(func(value float64, values ...string) {
			m, err := prometheus.NewConstMetric(g.desc, prometheus.GaugeValue, value, values...)
			if err != nil {
				m = prometheus.NewInvalidMetric(g.desc, err)
			}
			out <- m
		})
	}
}
