// The same work for sqs-consumer: polls of ten, the next one when all ten are done; it has no other concurrency.
const { SQSClient } = require("@aws-sdk/client-sqs");
const { Consumer } = require("sqs-consumer");

const milliseconds = Number(process.env.HANDLER_MILLISECONDS);

const consumer = Consumer.create({
  queueUrl: process.env.QUEUE_URL,
  sqs: new SQSClient({ region: process.env.AWS_REGION, endpoint: process.env.AWS_ENDPOINT_URL }),
  batchSize: 10,
  waitTimeSeconds: 20,
  handleMessage: async (message) => {
    JSON.parse(message.Body);
    await new Promise((done) => setTimeout(done, milliseconds));
    return message;
  },
});

consumer.on("error", (error) => console.error(error));
consumer.start();
