package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/mail"
)

// remindEvery is how often the hub looks for secrets of services that end.
const remindEvery = 5 * time.Minute

// remind tells those who run services of secrets that end, until ctx does. Without a mail server nobody is told; the console warns.
func (h *Hub) remind(ctx context.Context, sender mail.Sender, console string) error {
	if sender == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(remindEvery)
	defer tick.Stop()
	for {
		err := h.Clients.Remind(ctx, func(ctx context.Context, r clients.Reminder) error {
			return sendReminder(ctx, sender, console, h.now(), r)
		})
		if err != nil && ctx.Err() == nil {
			h.log.ErrorContext(ctx, "reminders of secrets that end", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// sendReminder writes to every contact. It is enough that one of them is reached: trying again would bother that one twice.
func sendReminder(ctx context.Context, sender mail.Sender, console string, now time.Time, r clients.Reminder) error {
	var failed []error
	for i, contact := range r.Contacts {
		to, err := mail.ParseAddress(contact)
		if err == nil {
			err = sender.Send(ctx, mail.Message{
				ID: fmt.Sprintf("%s-%d", r.ID, i), To: to, Date: now,
				Subject: "つなぐ: クライアントシークレットの期限が近づいています / A client secret is about to end",
				Text:    reminderText(console, r),
			})
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("contact %d: %w", i+1, err))
		}
	}
	if len(failed) < len(r.Contacts) {
		return nil
	}
	return errors.Join(failed...)
}

// reminderText is what the mail says: no secret, and no address that asks for one.
func reminderText(console string, r clients.Reminder) string {
	tokyo := time.FixedZone("JST", 9*60*60)
	where := ""
	if console != "" {
		where = "\n" + console + "/clients/" + string(r.Client) + "\n"
	}
	name := strings.TrimSpace(r.Name.In("ja"))
	return fmt.Sprintf(`%s（client_id: %s）のクライアントシークレットは %s に使えなくなります。
管理画面で次のシークレットを作り、サービスの設定を入れ替えてください。作るときに、古いシークレットを7日まで並行して使えるように選べます。
この時刻を過ぎると、利用者はこのサービスにログインできません。

The client secret of %s (client_id: %s) ends at %s.
Make the next one in the console and put it into the service's configuration. The old one can stay good for up to seven days beside it.
After that time nobody can sign in to this service.
%s`, name, r.Client, r.Ends.In(tokyo).Format("2006年1月2日 15:04"), r.Name.In("en"), r.Client, r.Ends.Format("2006-01-02 15:04 MST"), where)
}
