package conf

import (
	"encoding/json"
	"errors"
	"time"
)

// Duration is a length of time written with its unit: "90s", "5m", "1h30m".
type Duration time.Duration

// UnmarshalJSON implements json.Unmarshaler. A bare number has no unit and is refused, and so is a negative length.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return errors.New(`a duration with its unit is expected, such as "90s"`)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return errors.New(`a duration with its unit is expected, such as "90s"`)
	}
	if v < 0 {
		return errors.New("a duration cannot be negative")
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// String returns the duration as it is written in a file.
func (d Duration) String() string { return time.Duration(d).String() }
