package events

// snsMessage decodes a message of SNS as AWS Lambda gets it. In a queue there is only
// the value of its "Sns", or with raw delivery only the "Message" in that.
func (d *decoder) snsMessage(record value, p place) error {
	var sns, message value
	if err := record.fields(field{"Sns", &sns}); err != nil {
		return err
	}
	if !sns.isObject() {
		return sns.notObject("", "Sns")
	}
	if err := sns.fields(field{"Message", &message}); err != nil {
		return err
	}
	return d.content("Sns", "Message", message, p)
}
