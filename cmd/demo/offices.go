package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/agency"
)

// The sample offices: a municipality that asks and a pension office that answers. They are one program at one port. Each has a host of its
// own, and so a sector of its own at the hub and a name of its own for every citizen; on one computer that is localhost and 127.0.0.1.
const (
	agencyAddr  = "localhost:8403"
	pensionAddr = "127.0.0.1:8403"

	municipalityCode = "132993"        // of no real place
	pensionCode      = "4000012990001" // of no real corporation

	// What the municipality asks the pension office, as the hub's table of legal bases has it.
	kodomoBasis   = "KODOMO-01"
	kodomoPurpose = "JT01010000000214"
	enrolmentItem = "TM00000000000046"

	// The record that the demo citizen taro can tie to himself.
	taroNumber = "1234-567890"
	taroBorn   = "1980-02-17"
)

// demoOffice is what differs between the two.
type demoOffice struct {
	slug, addr, code string
	name             agency.Text
	inquiries        []agency.Inquiry
	records          []agency.Record
}

func (s *stack) offices() []demoOffice {
	pension := agency.Text{JA: "見本年金事務所", EN: "Sample Pension Office"}
	return []demoOffice{
		{
			slug: "municipality", addr: agencyAddr, code: municipalityCode, name: agency.Text{JA: "見本市役所", EN: "Sample City Office"},
			inquiries: []agency.Inquiry{{
				Item: enrolmentItem, Basis: kodomoBasis, Purpose: kodomoPurpose, Resource: agency.Resource(s.url(pensionAddr)),
				Name: agency.Text{JA: "年金の加入状況", EN: "pension enrolment"}, From: pension,
			}},
		},
		{
			slug: "pension", addr: pensionAddr, code: pensionCode, name: pension,
			records: []agency.Record{
				{Number: taroNumber, Born: taroBorn, Item: enrolmentItem, Category: 2, Since: "2003-04-01", AsOf: "2026-11-01"},
				{Number: "2345-678901", Born: "1992-07-07", Item: enrolmentItem, Category: 1, Since: "2019-10-01", AsOf: "2026-11-01"},
			},
		},
	}
}

// officeRegistrations are what the hub has to know of them.
func (s *stack) officeRegistrations() ([]json.RawMessage, error) {
	var all []json.RawMessage
	for _, o := range s.offices() {
		key, err := s.key(o.slug)
		if err != nil {
			return nil, err
		}
		r := agency.Registered{
			ClientID: o.slug, Base: s.url(o.addr), Name: o.name, BodyCode: o.code, JWKS: key.JWKS(), Answers: len(o.records) > 0, Development: true,
		}
		for _, q := range o.inquiries {
			r.Ask(q.Resource)
		}
		m, err := agency.Registration(r)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (s *stack) addAgency(ctx context.Context) error {
	var all []*agency.Office
	for _, o := range s.offices() {
		db, err := s.open(ctx, o.slug)
		if err != nil {
			return err
		}
		key, err := s.key(o.slug)
		if err != nil {
			return err
		}
		one, err := agency.New(ctx, agency.Config{
			Issuer: s.url(hubAddr), BaseURL: s.url(o.addr), ClientID: o.slug, Slug: o.slug, Name: o.name, Key: key, HTTP: s.http, DB: db,
			Now: time.Now, Log: s.log.With("program", o.slug), Sample: true, Inquiries: o.inquiries, Records: o.records,
		})
		if err != nil {
			return err
		}
		if err := s.invite(ctx, o.slug, one); err != nil {
			return err
		}
		all = append(all, one)
		s.runners = append(s.runners, one.Run)
	}
	handler, err := agency.Hosts(all...)
	if err != nil {
		return err
	}
	s.serve(server{name: "sample offices", addr: agencyAddr, handler: handler, fault: "agency"})
	return nil
}

// invite makes a code for an office that has no staff yet.
func (s *stack) invite(ctx context.Context, slug string, o *agency.Office) error {
	staffed, err := o.Staffed(ctx)
	if err != nil || staffed {
		return err
	}
	code, err := o.Invite(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: no invitation", slug), err)
	}
	s.invitations = append(s.invitations, invitation{slug, code})
	return nil
}
