-- CA-UART for Wireshark and tshark: the frames between a host and a Ruuvi coprocessor, in captures
-- of link type USER10 (157), which `ruuvi-host capture` writes, or of another of USER0 to USER15.
--
--   wireshark -X lua_script:tools/ca_uart.lua air.pcapng
--   tshark -X lua_script:tools/ca_uart.lua -r air.pcapng -Y 'ca_uart.command == "ADV_RPRT2"'
--
-- For always, copy it into the folder of personal Lua plugins (Help, About Wireshark, Folders).
--
-- A packet is one read or write of the port and cuts frames anywhere, so what is incomplete waits
-- for the next packet of its direction; a frame is shown at the packet that completes it. Nothing
-- on the wire is escaped: each 0xCA is a candidate, and one that fails costs that byte only.
-- Advertising data is taken apart here: Wireshark's dissector of it cannot be called from Lua.

local STX, ETX, DELIMITER = 0xCA, 0x0A, 0x2C
local OVERHEAD = 6    -- bytes of a frame besides its payload
local MAX_ADV = 235   -- longest advertising data that fits a frame of the firmware
local IDLE = 0.5      -- seconds without a byte after which an incomplete frame is given up
local SENT, RECEIVED = 0, 1  -- as pinfo.p2p_dir has them

local ca = Proto("ca_uart", "CA-UART")

local NAMES = {
  [0x05] = "SET_FLTR_TAGS", [0x06] = "SET_FLTR_ID", [0x07] = "SET_CODED_PHY",
  [0x08] = "SET_SCAN_1MB_PHY", [0x09] = "SET_SCAN_2MB_PHY", [0x0A] = "SET_CH_37",
  [0x0B] = "SET_CH_38", [0x0C] = "SET_CH_39", [0x0E] = "LED_CTRL", [0x0F] = "SET_ALL",
  [0x10] = "ADV_RPRT", [0x11] = "DEVICE_ID", [0x12] = "ADV_RPRT2", [0x18] = "GET_DEVICE_ID",
  [0x19] = "GET_ALL", [0x20] = "ACK",
}

local OF_HOST = {
  [0x05] = true, [0x06] = true, [0x07] = true, [0x08] = true, [0x09] = true, [0x0A] = true,
  [0x0B] = true, [0x0C] = true, [0x0E] = true, [0x0F] = true, [0x18] = true,
}

-- Field sizes of each command, without the delimiters; ADV is as long as the rest leaves room for.
local ADV = -1
local LAYOUTS = {
  [0x05] = {{1}}, [0x06] = {{2}}, [0x07] = {{1}}, [0x08] = {{1}}, [0x09] = {{1}}, [0x0A] = {{1}},
  [0x0B] = {{1}}, [0x0C] = {{1}}, [0x0E] = {{2}}, [0x0F] = {{2, 1}, {2, 1, 1}},
  [0x10] = {{6, ADV, 1}}, [0x11] = {{8, 6}}, [0x12] = {{6, ADV, 1, 3}}, [0x18] = {{}},
  [0x19] = {{}}, [0x20] = {{1, 1}},
}

local PHYS = {[0] = "auto", [1] = "1M", [2] = "2M", [4] = "Coded", [15] = "not set"}
local FLAGS = {"fltr_tags", "use_coded_phy", "use_1m_phy", "use_2m_phy", "ch_37", "ch_38", "ch_39"}

local RUUVI = 0x0499
local AD_TYPES = {
  [0x01] = "Flags", [0x02] = "16-bit UUIDs, not all", [0x03] = "16-bit UUIDs",
  [0x06] = "128-bit UUIDs, not all", [0x07] = "128-bit UUIDs", [0x08] = "Short name",
  [0x09] = "Name", [0x0A] = "TX power", [0x16] = "Service data of a 16-bit UUID",
  [0xFF] = "Manufacturer specific data",
}

local f = {
  direction = ProtoField.string("ca_uart.direction", "Direction"),
  command = ProtoField.string("ca_uart.command", "Command"),
  number = ProtoField.uint8("ca_uart.cmd", "Command number", base.HEX),
  length = ProtoField.uint8("ca_uart.len", "Length of the payload"),
  payload = ProtoField.bytes("ca_uart.payload", "Payload"),
  crc = ProtoField.uint16("ca_uart.crc", "CRC", base.HEX),
  skipped = ProtoField.bytes("ca_uart.skipped", "Bytes in no frame"),
  pending = ProtoField.uint16("ca_uart.pending", "Bytes that wait for the next packet"),
  mac = ProtoField.ether("ca_uart.mac", "Address"),
  adv = ProtoField.bytes("ca_uart.adv", "Advertising data"),
  rssi = ProtoField.int8("ca_uart.rssi", "RSSI (dBm)"),
  primary = ProtoField.uint8("ca_uart.primary_phy", "Primary PHY", base.DEC, PHYS, 0xF0),
  secondary = ProtoField.uint8("ca_uart.secondary_phy", "Secondary PHY", base.DEC, PHYS, 0x0F),
  channel = ProtoField.uint8("ca_uart.ch_index", "Channel"),
  coded = ProtoField.bool("ca_uart.is_coded_phy", "Received while scanning Coded PHY", 8, nil, 0x80),
  power = ProtoField.int8("ca_uart.tx_power", "TX power (dBm; -64: not available)"),
  device = ProtoField.bytes("ca_uart.id", "Device identifier"),
  address = ProtoField.ether("ca_uart.addr", "Coprocessor's address"),
  acked = ProtoField.string("ca_uart.acked_cmd", "Acknowledges"),
  refused = ProtoField.uint8("ca_uart.state", "State"),
  company = ProtoField.uint16("ca_uart.fltr_id", "Company identifier", base.HEX),
  structure = ProtoField.bytes("ca_uart.ad", "AD structure"),
  ad_type = ProtoField.uint8("ca_uart.ad.type", "Type", base.HEX, AD_TYPES),
  ad_data = ProtoField.bytes("ca_uart.ad.data", "Data"),
  ad_company = ProtoField.uint16("ca_uart.ad.company", "Company identifier", base.HEX),
  name = ProtoField.string("ca_uart.ad.name", "Name"),
  data_format = ProtoField.uint8("ca_uart.ad.data_format", "Ruuvi data format", base.HEX),
  limit = ProtoField.uint8("ca_uart.max_adv_len", "Longest advertising data"),
  interval = ProtoField.uint16("ca_uart.time_interval_ms", "LED on for (ms)"),
}
local flag_fields = {}
for bit, name in ipairs(FLAGS) do
  flag_fields[bit] = ProtoField.bool("ca_uart." .. name, name, 8, nil, 2 ^ (bit - 1))
end
local all = {}
for _, field in pairs(f) do all[#all + 1] = field end
for _, field in ipairs(flag_fields) do all[#all + 1] = field end
ca.fields = all

local noise = ProtoExpert.new(
  "ca_uart.noise", "Bytes that belong to no frame", expert.group.MALFORMED, expert.severity.WARN)
ca.experts = {noise}

-- CRC-16/CCITT-FALSE

local library = bit32 or bit
local xor = library and library.bxor or load("return function(a, b) return a ~ b end")()
local CRC_TABLE = {}
for byte = 0, 255 do
  local value = byte * 256
  for _ = 1, 8 do
    local shifted = value * 2
    value = value >= 0x8000 and xor(shifted % 0x10000, 0x1021) or shifted
  end
  CRC_TABLE[byte] = value
end

local function crc16(bytes)
  local value = 0xFFFF
  for i = 1, #bytes do
    local high = math.floor(value / 256)
    value = xor(value % 256 * 256, CRC_TABLE[xor(high, bytes:byte(i))])
  end
  return value
end

-- Finding frames. Positions in strings begin with 1.

-- The layout that a command has with this length, its ADV filled in; nil: it cannot be.
local function layout_of(command, length)
  for _, layout in ipairs(LAYOUTS[command] or {}) do
    local least, has_adv = #layout, false
    for _, size in ipairs(layout) do
      if size == ADV then has_adv = true else least = least + size end
    end
    local room = length - least
    if room == 0 or (has_adv and room >= 0 and room <= MAX_ADV) then
      local concrete = {}
      for i, size in ipairs(layout) do concrete[i] = size == ADV and room or size end
      return concrete
    end
  end
  return nil
end

local function delimiters_hold(frame, layout)
  local position = 3
  for _, size in ipairs(layout) do
    position = position + size + 1
    if frame:byte(position) ~= DELIMITER then return false end
  end
  return true
end

-- What is at `start` of `stream`: "frame" and its length, "wait", or "no".
local function candidate(stream, start)
  if stream:byte(start) ~= STX then return "no" end
  if #stream < start + 2 then return "wait" end
  local length, command = stream:byte(start + 1, start + 2)
  local layout = layout_of(command, length)
  if not layout then return "no" end
  local total = length + OVERHEAD
  if #stream < start + total - 1 then return "wait" end
  local frame = stream:sub(start, start + total - 1)
  local low, high, etx = frame:byte(total - 2, total)
  if etx ~= ETX or high * 256 + low ~= crc16(frame:sub(2, total - 3)) then return "no" end
  if not delimiters_hold(frame, layout) then return "no" end
  return "frame", total
end

-- A host may have several ports, and a file several lives of a host. (Older versions of Wireshark
-- do not know sections.)
local interface = Field.new("frame.interface_id")
local knows_sections, section = pcall(Field.new, "frame.section_number")

local function name_of_stream(direction)
  local part = knows_sections and section()
  return table.concat({tostring(part or ""), tostring(interface() or ""), direction}, " ")
end

-- What was found in a packet is kept by its number: packets are looked at again in any order.
local streams, found, asked = {}, {}, {}

function ca.init()
  streams, found, asked = {}, {}, {}
end

-- Who sent a packet of which the capture does not tell it: hosts, if it is a frame that they send.
-- Firmware 1.0.0 answers LED_CTRL with the same frame once more. As `ruuvi-host decode uart` has it.
local function guessed(bytes)
  local what, total = candidate(bytes, 1)
  if what ~= "frame" or total ~= #bytes then return RECEIVED end
  local port = name_of_stream("")
  local command = bytes:byte(3)
  if not OF_HOST[command] then
    if command == 0x20 then asked[port] = nil end
    return RECEIVED
  end
  local is_echo = bytes == asked[port]
  asked[port] = command == 0x0E and not is_echo and bytes or nil
  return is_echo and RECEIVED or SENT
end

-- Take the bytes of a packet into the stream of its port and direction. Returns a list of pieces, each
-- {kind, bytes, offset in the packet (negative: it began in an earlier one)}, and what waits.
local function take(name, bytes, time)
  local stream = streams[name]
  if not stream then
    stream = {tail = "", time = time}
    streams[name] = stream
  end
  local pieces = {}
  local data, before = stream.tail .. bytes, #stream.tail
  local idle = before > 0 and time - stream.time > IDLE
  local start, skipped_from = 1, nil

  local function skipped()
    if skipped_from then
      pieces[#pieces + 1] =
        {kind = "skipped", bytes = data:sub(skipped_from, start - 1), offset = skipped_from - 1 - before}
      skipped_from = nil
    end
  end

  while start <= #data do
    local what, total = candidate(data, start)
    if what == "frame" then
      skipped()
      pieces[#pieces + 1] =
        {kind = "frame", bytes = data:sub(start, start + total - 1), offset = start - 1 - before}
      start = start + total
    elseif what == "wait" and not (idle and start <= before) then
      break
    else
      skipped_from = skipped_from or start
      start = start + 1
    end
  end
  skipped()
  stream.tail, stream.time = data:sub(start), time
  return {pieces = pieces, pending = #stream.tail}
end

-- Showing them

local function hex_mac(bytes)
  return (bytes:gsub(".", function(c) return string.format("%02X:", c:byte()) end):sub(1, -2))
end

-- AD structures: a length byte (of what follows), a type byte, data.
local function show_advertising_data(range, tree)
  local position, size = 0, range:len()
  while position < size do
    local length = range(position, 1):uint()
    if length == 0 then break end  -- what follows is padding
    local whole = math.min(length + 1, size - position)
    local structure = range(position, whole)
    local sub = tree:add(f.structure, structure)
    if whole < 2 then return sub:append_text(" (cut short)") end
    local kind = structure(1, 1):uint()
    sub:add(f.ad_type, structure(1, 1))
    sub:set_text(AD_TYPES[kind] or string.format("AD type 0x%02X", kind))
    if whole < length + 1 then return sub:append_text(" (cut short)") end
    if whole > 2 then
      local data = structure(2)
      sub:add(f.ad_data, data)
      if kind == 0x08 or kind == 0x09 then
        sub:add(f.name, data)
      elseif kind == 0xFF and whole >= 4 then
        sub:add_le(f.ad_company, data(0, 2))
        if data(0, 2):le_uint() == RUUVI and whole > 4 then sub:add(f.data_format, data(2, 1)) end
      end
    end
    position = position + whole
  end
end

local function show_report(range, layout, has_radio, tree)
  local size = layout[2]
  tree:add(f.mac, range(3, 6))
  if size > 0 then
    show_advertising_data(range(10, size), tree:add(f.adv, range(10, size)))
  end
  tree:add(f.rssi, range(11 + size, 1))
  if has_radio then
    tree:add(f.primary, range(13 + size, 1))
    tree:add(f.secondary, range(13 + size, 1))
    tree:add(f.channel, range(14 + size, 1))
    tree:add(f.coded, range(15 + size, 1))
    local power = range(15 + size, 1):uint() % 128
    tree:add(f.power, range(15 + size, 1), power >= 64 and power - 128 or power)
  end
  return string.format("%s %d dBm", hex_mac(range(3, 6):bytes():raw()), range(11 + size, 1):int())
end

-- Adds the fields of a frame, and returns what to say in its line.
local function show_fields(command, layout, range, tree)
  if command == 0x10 or command == 0x12 then
    return show_report(range, layout, command == 0x12, tree)
  elseif command == 0x11 then
    tree:add(f.device, range(3, 8))
    tree:add(f.address, range(12, 6))
    return hex_mac(range(12, 6):bytes():raw())
  elseif command == 0x20 then
    local number, state = range(3, 1):uint(), range(5, 1):uint() % 2
    local name = NAMES[number] or string.format("0x%02X", number)
    tree:add(f.acked, range(3, 1), name)
    tree:add(f.refused, range(5, 1), state)
    return name .. (state == 1 and " refused" or "")
  elseif command == 0x0F then
    tree:add_le(f.company, range(3, 2))
    for _, field in ipairs(flag_fields) do tree:add(field, range(6, 1)) end
    if layout[3] then tree:add(f.limit, range(8, 1)) end
    return string.format("company 0x%04X flags 0x%02X", range(3, 2):le_uint(), range(6, 1):uint())
  elseif command == 0x06 then
    tree:add_le(f.company, range(3, 2))
  elseif command == 0x0E then
    tree:add_le(f.interval, range(3, 2))
    return range(3, 2):le_uint() .. " ms"
  elseif layout[1] then
    tree:add(f.refused, range(3, 1), range(3, 1):uint() % 2)
    return tostring(range(3, 1):uint() % 2)
  end
  return nil
end

local function show_frame(range, tree)
  local length, command = range(1, 1):uint(), range(2, 1):uint()
  local name = NAMES[command]
  local sub = tree:add(ca, range, name)
  sub:add(f.command, range(2, 1), name)
  sub:add(f.length, range(1, 1))
  sub:add(f.number, range(2, 1))
  if length > 0 then sub:add(f.payload, range(3, length)) end
  local about = show_fields(command, layout_of(command, length), range, sub)
  sub:add_le(f.crc, range(3 + length, 2))
  local line = about and (name .. " " .. about) or name
  sub:set_text("CA-UART " .. line)
  return line
end

function ca.dissector(tvb, pinfo, tree)
  local bytes = tvb:len() > 0 and tvb:range():bytes():raw() or ""
  local seen = found[pinfo.number]
  if not seen then
    local direction = pinfo.p2p_dir
    if direction ~= SENT and direction ~= RECEIVED then direction = guessed(bytes) end
    seen = take(name_of_stream(direction), bytes, tonumber(pinfo.abs_ts))
    seen.direction = direction
    found[pinfo.number] = seen
  end
  local host = seen.direction == SENT
  pinfo.cols.protocol = "CA-UART"
  pinfo.cols.src = host and "host" or "coprocessor"
  pinfo.cols.dst = host and "coprocessor" or "host"

  local top = tree:add(ca, tvb(), "CA-UART, from the " .. (host and "host" or "coprocessor"))
  top:add(f.direction, host and "host_to_device" or "device_to_host"):set_generated()
  local lines = {}
  for _, piece in ipairs(seen.pieces) do
    local range
    if piece.offset >= 0 then
      range = tvb(piece.offset, #piece.bytes)
    else  -- it began in an earlier packet
      range = ByteArray.new(piece.bytes, true):tvb("Bytes of several packets")()
    end
    if piece.kind == "frame" then
      lines[#lines + 1] = show_frame(range, top)
    else
      top:add(f.skipped, range):add_tvb_expert_info(noise, range)
      lines[#lines + 1] = #piece.bytes .. " bytes in no frame"
    end
  end
  if seen.pending > 0 then
    top:add(f.pending, seen.pending):set_generated()
    if #lines == 0 then lines[1] = "(incomplete)" end
  end
  pinfo.cols.info = table.concat(lines, ", ")
end

local link_types = DissectorTable.get("wtap_encap")
link_types:add(wtap.USER10, ca)

-- Somebody else's recorder has chosen another of the sixteen; whoever uses one of them for something
-- else, too, sets this to FALSE.
ca.prefs.every_user_link_type = Pref.bool(
  "Every user link type", true, "Also USER0 to USER15, and not only what ruuvi-host writes (USER10)")

local everywhere = false
local others = {}  -- who had them before: what is set up under "DLT User"

local function follow_preference()
  if ca.prefs.every_user_link_type == everywhere then return end
  everywhere = ca.prefs.every_user_link_type
  for number = 0, 15 do
    local link_type = wtap["USER" .. number]
    if link_type ~= wtap.USER10 then
      others[number] = others[number] or link_types:get_dissector(link_type)
      local one, other = ca, others[number]
      if not everywhere then one, other = other, one end
      if other then link_types:remove(link_type, other) end
      if one then link_types:add(link_type, one) end
    end
  end
end

ca.prefs_changed = follow_preference
follow_preference()
