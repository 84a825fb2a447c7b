// The same work for squiss-ts: twenty at a time, polls of ten, deletes of ten.
const { Squiss } = require("squiss-ts");

const milliseconds = Number(process.env.HANDLER_MILLISECONDS);

const squiss = new Squiss({
  awsConfig: { region: process.env.AWS_REGION, endpoint: process.env.AWS_ENDPOINT_URL },
  queueUrl: process.env.QUEUE_URL,
  bodyFormat: "json",
  receiveBatchSize: 10,
  receiveWaitTimeSecs: 20,
  maxInFlight: Number(process.env.CONCURRENCY),
});

squiss.on("message", (message) => setTimeout(() => message.del(), milliseconds));
squiss.on("error", (error) => console.error(error));
squiss.start();
