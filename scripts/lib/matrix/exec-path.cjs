// Preloaded into each Node that the program beside this file starts: that program is the one to start again.
process.execPath = require('node:path').join(__dirname, 'node');
process.argv[0] = process.execPath;
process.execArgv = process.execArgv.filter((argument) => !argument.includes(__filename));
