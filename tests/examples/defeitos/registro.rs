//! Enganos no registro e em para onde ele vai.

use crate::oficina::{Defeito, Teste, no, por};

const REGISTRO: &str = "servidor/src/registro.rs";
const SISTEMA: &str = "servidor/src/sistema/unix.rs";
const DESTINO: &str = "servidor/src/registro/destino.rs";

const fn unidade(nome: &'static str) -> Teste {
    Teste::Unidade("servidor", nome)
}

pub const DEFEITOS: &[Defeito] = &[
    // A fila.
    por(
        no("registro", "a_hora_de_cada_linha"),
        REGISTRO,
        "a hora não anda",
        "        self.linhas = 0;\n        self.hora.clear();\n    }\n\n    /// O turno não valeu",
        "        self.linhas = 0;\n    }\n\n    /// O turno não valeu",
    ),
    por(
        no("falhas", "um_console_que_volta_a_andar"),
        REGISTRO,
        "o que não coube na fila não se conta",
        "            espera.perdidas += self.linhas;\n",
        "",
    ),
    por(
        unidade("a_fila_tem_teto"),
        REGISTRO,
        "a fila não tem teto",
        "if espera.bytes.len() + self.turno.len() > FILA_MAXIMA {",
        "if espera.bytes.len() + self.turno.len() > 999 * FILA_MAXIMA {",
    ),
    por(
        no("registro", "cada_acontecimento"),
        REGISTRO,
        "a thread não é acordada",
        "        if acordar {\n",
        "        if acordar && self.turno.capacity() > 1_000_000 {\n",
    ),
    por(
        no("falhas", "um_console_fechado"),
        REGISTRO,
        "as escritas não se contam",
        "fila.trancar().escritas += escritas;",
        "fila.trancar().escritas += 2 * escritas;",
    ),
    por(
        no("operador", "o_registro_nao_passa_do_maximo"),
        REGISTRO,
        "o que a thread não escreveu não se informa",
        "        espera.perdidas += perdidas;\n",
        "        let _ = perdidas;\n",
    ),
    por(
        no("encerramento", "um_cliente_que_nao_le_nao_segura"),
        REGISTRO,
        "fechar não entrega as últimas linhas",
        "        self.entregar();\n        let Some(fila)",
        "        let Some(fila)",
    ),
    por(
        no("registro", "cada_acontecimento"),
        REGISTRO,
        "o console ouve a abertura duas vezes",
        "        if self.em_arquivo {\n",
        "        if self.fila.is_some() {\n",
    ),
    // As linhas.
    por(
        no("falhas", "lixo_binario"),
        REGISTRO,
        "o que o cliente manda vai cru ao registro",
        "linha.extend(trecho.escape_ascii())",
        "linha.extend_from_slice(trecho)",
    ),
    por(
        no("servidor", "o_que_ficou_sem_terminar"),
        REGISTRO,
        "a linha inacabada não se corta",
        ".take(Comando::TRECHO)",
        ".take(usize::MAX)",
    ),
    por(
        no("servidor", "o_que_ficou_sem_terminar"),
        REGISTRO,
        "a linha inacabada não vai ao registro",
        "if !inacabada.is_empty() {",
        "if inacabada.len() > 9999 {",
    ),
    por(
        unidade("um_endereco_se_escreve"),
        REGISTRO,
        "os octetos não têm pontos",
        "linha.push(b'.');",
        "linha.push(b',');",
    ),
    // O destino.
    por(
        no("operador", "o_registro_nao_passa_do_maximo"),
        DESTINO,
        "o que não se conseguiu informar se esquece",
        "            faltam + por_informar\n",
        "            faltam\n",
    ),
    por(
        no("operador", "o_registro_nao_passa_do_maximo"),
        DESTINO,
        "o arquivo não tem máximo",
        "Some(self.maximo.saturating_sub(tamanho + RESERVA))",
        "Some(u64::MAX - tamanho)",
    ),
    por(
        no("operador", "o_registro_nao_passa_do_maximo"),
        DESTINO,
        "um arquivo esvaziado continua cheio",
        "            self.medida = medir(&self.aberto);\n        }\n        let Some(cabem)",
        "        }\n        let Some(cabem)",
    ),
    por(
        no("operador", "o_registro_nao_passa_do_maximo"),
        DESTINO,
        "uma linha é cortada no máximo",
        "&cabem[..cabem.iter().rposition(|byte| *byte == b'\\n').map_or(0, |fim| fim + 1)]",
        "cabem",
    ),
    por(
        no("operador", "o_registro_nao_passa_do_maximo"),
        DESTINO,
        "não se diz que encheu",
        "                self.dizer_que_encheu();\n                break;",
        "                break;",
    ),
    por(
        no("operador", "um_arquivo_que_ja_esta_cheio"),
        DESTINO,
        "o que já havia no arquivo não conta",
        "Ok(medidas) if medidas.is_file() => Medida::Arquivo(medidas.len()),",
        "Ok(medidas) if medidas.is_file() => Medida::Arquivo(0),",
    ),
    por(
        no("operador", "trocado_o_nome"),
        REGISTRO,
        "o pedido de reabrir não é atendido",
        "            destino.reabrir();\n",
        "",
    ),
    por(
        no("operador", "trocado_o_nome"),
        DESTINO,
        "só se reabre uma vez",
        "self.caminho.take()",
        "None",
    ),
    por(
        no("operador", "um_sighup_que_nao_reabre"),
        DESTINO,
        "não se diz que não reabriu",
        "self.anotar(format_args!(\"o arquivo não foi reaberto: {}\", explicar(&erro)))",
        "drop(explicar(&erro))",
    ),
    por(
        no("operador", "um_cano_sem_leitor"),
        SISTEMA,
        "um cano sem leitor prende o programa",
        ".custom_flags(libc::O_NONBLOCK)",
        ".custom_flags(0)",
    ),
    por(
        no("registro", "o_arquivo_de_registro_cresce"),
        SISTEMA,
        "cada execução escreve por cima da anterior",
        "File::options().append(true)",
        "File::options().write(true)",
    ),
];
