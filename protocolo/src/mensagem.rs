//! O que o servidor diz: [`Resposta`] em bytes, e de volta, como o cliente a ouve: [`Mensagem`].
//!
//! São dois tipos porque são dois papéis. Um servidor certo só diz o que está em [`Resposta`]; um
//! cliente que põe servidores à prova precisa saber ouvir também o que está errado: um estoque
//! negativo, um texto desconhecido. Cortar o fluxo em mensagens não é daqui.

use std::fmt;

/// A mensagem que todos recebem quando a última unidade é vendida (§9), sem o fim de linha.
pub const AVISO: &str = "AVISO: O estoque acabou de esgotar!";

const ESTOQUE: &str = "Estoque atual:";
const COMPRA: &str = "Compra realizada. Estoque restante:";
const ESGOTADO: &str = "ERRO: Produto esgotado";
const LOTADO: &str = "ERRO: Servidor lotado";
const AJUDA: &str = "Comandos: CONSULTAR (estoque atual), COMPRAR (uma unidade), AJUDA, SAIR";
const DESCONHECIDO: &str = "ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, AJUDA ou SAIR";
const OUTRO_PROTOCOLO: &str =
    "ERRO: Isto parece HTTP ou TLS. Use CONSULTAR, COMPRAR, AJUDA ou SAIR";
const COMECO_DO_AVISO: &str = "AVISO:";

/// Uma resposta do servidor a um comando. `Display` dá o texto, sem o fim de linha.
///
/// Todos os textos são ASCII: aparecem certos em qualquer telnet, e no registro sem escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resposta {
    /// Resposta a CONSULTAR: unidades à venda.
    Estoque(u64),
    /// Resposta a COMPRAR: vendida, e quantas unidades sobraram.
    Compra {
        /// Unidades que sobraram depois desta venda.
        restante: u64,
    },
    /// Resposta a COMPRAR quando não há mais.
    Esgotado,
    /// Resposta a AJUDA: os comandos, em uma linha.
    Ajuda,
    /// Resposta a SAIR.
    Despedida,
    /// Resposta a uma linha que não é comando algum.
    Desconhecido,
    /// A linha passou do limite; a conexão fecha.
    LinhaLonga,
    /// Quem conectou fala HTTP ou TLS; a conexão fecha.
    OutroProtocolo,
    /// Não cabe mais ninguém; a conexão fecha.
    Lotado,
}

impl Resposta {
    /// Acrescenta a resposta a `saida`, com o fim de linha; no máximo
    /// [`RESPOSTA_MAXIMA`](crate::RESPOSTA_MAXIMA) bytes.
    ///
    /// Diz o mesmo que `Display`, sem passar pelo formatador: com pedidos em fila, era ele o que mais
    /// custava em um comando.
    pub fn escrever(&self, saida: &mut Vec<u8>) {
        let (texto, numero) = self.partes();
        saida.extend_from_slice(texto.as_bytes());
        if let Some(numero) = numero {
            saida.push(b' ');
            escrever_numero(numero, saida);
        }
        saida.push(b'\n');
    }

    /// O texto, e o número que vem depois dele, se há um.
    fn partes(&self) -> (&'static str, Option<u64>) {
        match self {
            Resposta::Estoque(atual) => (ESTOQUE, Some(*atual)),
            Resposta::Compra { restante } => (COMPRA, Some(*restante)),
            Resposta::Esgotado => (ESGOTADO, None),
            Resposta::Ajuda => (AJUDA, None),
            Resposta::Despedida => ("Volte sempre!", None),
            Resposta::Desconhecido => (DESCONHECIDO, None),
            Resposta::LinhaLonga => ("ERRO: Linha longa demais", None),
            Resposta::OutroProtocolo => (OUTRO_PROTOCOLO, None),
            Resposta::Lotado => (LOTADO, None),
        }
    }
}

/// Acrescenta os algarismos de um número: do último para o primeiro, em um rascunho em que o maior
/// `u64` cabe.
pub fn escrever_numero(mut numero: u64, saida: &mut Vec<u8>) {
    let mut algarismos = [0; 20];
    let mut inicio = algarismos.len();
    loop {
        inicio -= 1;
        algarismos[inicio] = b'0' + (numero % 10) as u8;
        numero /= 10;
        if numero == 0 {
            return saida.extend_from_slice(&algarismos[inicio..]);
        }
    }
}

impl fmt::Display for Resposta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (texto, numero) = self.partes();
        f.write_str(texto)?;
        numero.map_or(Ok(()), |numero| write!(f, " {numero}"))
    }
}

/// Uma mensagem como o cliente a ouviu, de um servidor em que não se confia.
///
/// Os números são `i128` porque um servidor errado pode dizer `-1`, e um certo, qualquer `u64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mensagem {
    /// `Estoque atual: X`
    Estoque(i128),
    /// `Compra realizada. Estoque restante: X`
    Compra {
        /// O que o servidor diz que sobrou.
        restante: i128,
    },
    /// `ERRO: Produto esgotado`
    Esgotado,
    /// `ERRO: Servidor lotado`
    Lotado,
    /// `AVISO: ...`, com as palavras que vieram.
    Aviso(String),
    /// Qualquer outro texto, inclusive outros `ERRO: ...`.
    Outra(String),
}

impl Mensagem {
    /// É uma das respostas do enunciado a CONSULTAR ou a COMPRAR?
    pub fn e_resposta(&self) -> bool {
        matches!(self, Mensagem::Estoque(_) | Mensagem::Compra { .. } | Mensagem::Esgotado)
    }

    /// Como começa cada mensagem do protocolo: onde um destes aparece no meio de um texto, duas
    /// mensagens vieram coladas.
    pub const COMECOS: [&str; 4] = [ESTOQUE, "Compra realizada", "ERRO:", COMECO_DO_AVISO];

    /// Interpreta o texto de uma mensagem, com ou sem fim de linha. Nunca falha: o que não se
    /// entende é [`Mensagem::Outra`].
    ///
    /// Entende também quem muda as letras e não o sentido (`estoque atual: 10`, `Compra realizada!
    /// Estoque restante: 9.`); para saber se o texto veio letra por letra, compare-o com o que
    /// `Display` dá.
    pub fn interpretar(texto: &[u8]) -> Self {
        // Quem escreve em C às vezes manda o buffer inteiro: depois do NUL não há texto.
        let texto = texto.split(|byte| *byte == 0).next().unwrap_or_default();
        let texto = String::from_utf8_lossy(texto.trim_ascii());
        let minusculo = texto.to_lowercase();
        let numero = numero(&minusculo);
        if minusculo.starts_with("aviso") {
            Mensagem::Aviso(texto.into_owned())
        } else if texto == LOTADO {
            Mensagem::Lotado
        } else if minusculo.starts_with("erro") && minusculo.contains("esgotado") {
            Mensagem::Esgotado
        } else if let Some(atual) = numero.filter(|_| minusculo.starts_with("estoque")) {
            Mensagem::Estoque(atual)
        } else if let Some(restante) = numero.filter(|_| minusculo.starts_with("compra realizada"))
        {
            Mensagem::Compra { restante }
        } else {
            Mensagem::Outra(texto.into_owned())
        }
    }
}

/// O primeiro número inteiro depois dos últimos dois-pontos, ou do texto todo, se não os há.
fn numero(texto: &str) -> Option<i128> {
    let depois = texto.rsplit_once(':').map_or(texto, |(_, depois)| depois);
    let inicio = depois.find(|letra: char| letra.is_ascii_digit())?;
    let digitos = depois[inicio..].split(|letra: char| !letra.is_ascii_digit()).next()?;
    let sinal = if depois[..inicio].ends_with('-') { "-" } else { "" };
    format!("{sinal}{digitos}").parse().ok()
}

/// Este AVISO diz, com essas ou com outras palavras, que o estoque *acabou*? Há servidores que avisam
/// de outras coisas (`AVISO: está acabando, restam 2`), e tomá-las por testemunho seria injusto: na
/// dúvida, a resposta é não.
pub fn avisa_que_esgotou(aviso: &str) -> bool {
    let aviso = aviso.to_lowercase();
    let certeza = ["esgotou", "esgotado", "acabou"].iter().any(|palavra| aviso.contains(palavra));
    let duvida = aviso.contains("quase") || aviso.contains(|letra: char| letra.is_ascii_digit());
    certeza && !duvida
}

/// O texto de um desconhecido, sem nada que comande o terminal de quem o lê: só o que é visível fica
/// como veio.
pub fn visivel(texto: &str) -> String {
    let mostrar = |letra: char| match letra {
        '"' | '\'' | '\\' => letra.to_string(),
        _ => letra.escape_debug().to_string(),
    };
    texto.chars().map(mostrar).collect()
}

impl fmt::Display for Mensagem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mensagem::Estoque(atual) => write!(f, "{ESTOQUE} {atual}"),
            Mensagem::Compra { restante } => {
                write!(f, "{COMPRA} {restante}")
            }
            Mensagem::Esgotado => f.write_str(ESGOTADO),
            Mensagem::Lotado => f.write_str(LOTADO),
            Mensagem::Aviso(texto) | Mensagem::Outra(texto) => f.write_str(&visivel(texto)),
        }
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::RESPOSTA_MAXIMA;

    const TODAS: [Resposta; 9] = [
        Resposta::Estoque(u64::MAX),
        Resposta::Compra { restante: u64::MAX },
        Resposta::Esgotado,
        Resposta::Ajuda,
        Resposta::Despedida,
        Resposta::Desconhecido,
        Resposta::LinhaLonga,
        Resposta::OutroProtocolo,
        Resposta::Lotado,
    ];

    #[test]
    fn os_textos_do_enunciado_letra_por_letra() {
        assert_eq!(Resposta::Estoque(10).to_string(), "Estoque atual: 10");
        assert_eq!(
            Resposta::Compra { restante: 9 }.to_string(),
            "Compra realizada. Estoque restante: 9"
        );
        assert_eq!(Resposta::Esgotado.to_string(), "ERRO: Produto esgotado");
        assert_eq!(AVISO, "AVISO: O estoque acabou de esgotar!");
    }

    #[test]
    fn cada_resposta_e_uma_linha_ascii_dentro_do_limite() {
        for resposta in TODAS {
            let mut bytes = Vec::new();
            resposta.escrever(&mut bytes);
            assert!(bytes.len() <= RESPOSTA_MAXIMA, "{resposta}");
            assert_eq!(bytes.iter().position(|b| *b == b'\n'), Some(bytes.len() - 1));
            assert!(bytes.is_ascii(), "{resposta}");
            assert_eq!(bytes, format!("{resposta}\n").as_bytes());
        }
    }

    #[test]
    fn nenhuma_resposta_tem_o_comeco_de_outra_no_meio() {
        for texto in TODAS.iter().map(|r| r.to_string()).chain([AVISO.to_string()]) {
            for comeco in Mensagem::COMECOS {
                assert!(!texto[1..].contains(comeco), "{texto}");
            }
        }
    }

    #[test]
    fn ida_e_volta() {
        for numero in [0, 1, u64::MAX] {
            let volta = |r: Resposta| Mensagem::interpretar(r.to_string().as_bytes());
            assert_eq!(volta(Resposta::Estoque(numero)), Mensagem::Estoque(numero.into()));
            assert_eq!(
                volta(Resposta::Compra { restante: numero }),
                Mensagem::Compra { restante: numero.into() }
            );
            assert_eq!(volta(Resposta::Esgotado), Mensagem::Esgotado);
            assert_eq!(volta(Resposta::Lotado), Mensagem::Lotado);
        }
        assert_eq!(Mensagem::interpretar(AVISO.as_bytes()), Mensagem::Aviso(AVISO.into()));
    }

    #[test]
    fn so_o_aviso_de_esgotamento_e_de_esgotamento() {
        for aviso in [AVISO, "AVISO: Produto ESGOTADO", "AVISO: Acabou!"] {
            assert!(avisa_que_esgotou(aviso), "{aviso}");
        }
        for aviso in [
            "AVISO: restam 3 unidades",
            "AVISO: o estoque está acabando",
            "AVISO: quase esgotado!",
            "AVISO: Não há mais estoque",
        ] {
            assert!(!avisa_que_esgotou(aviso), "{aviso}");
        }
    }

    #[test]
    fn entende_quem_muda_as_letras_e_nao_o_sentido() {
        let ouvir = |texto: &str| Mensagem::interpretar(texto.as_bytes());
        assert_eq!(ouvir("estoque atual: 10"), Mensagem::Estoque(10));
        assert_eq!(ouvir("Estoque atual: 10 unidades."), Mensagem::Estoque(10));
        assert_eq!(ouvir("ESTOQUE ATUAL = -3"), Mensagem::Estoque(-3));
        let compra = Mensagem::Compra { restante: 9 };
        assert_eq!(ouvir("compra realizada. estoque restante: 9"), compra);
        assert_eq!(ouvir("Compra realizada! Estoque restante: 9."), compra);
        assert_eq!(ouvir("Erro: produto esgotado!"), Mensagem::Esgotado);
        assert_eq!(ouvir("Estoque atual: 10\0\0lixo: 99"), Mensagem::Estoque(10));
        assert_eq!(ouvir("aviso: acabou"), Mensagem::Aviso("aviso: acabou".into()));
        for outra in [
            "Vendido, sobraram 9",
            "ERRO: estoque insuficiente: 0",
            "Compra não realizada: 0",
            "Compra realizada",
            "esgotado",
            "ERRO: Comando desconhecido",
        ] {
            assert_eq!(ouvir(outra), Mensagem::Outra(outra.into()));
        }
    }

    #[test]
    fn ouve_tambem_o_que_esta_errado() {
        assert_eq!(Mensagem::interpretar(b"Estoque atual: -1\r\n"), Mensagem::Estoque(-1));
        assert_eq!(
            Mensagem::interpretar(b"AVISO: Acabou!"),
            Mensagem::Aviso("AVISO: Acabou!".into())
        );
        assert_eq!(
            Mensagem::interpretar(b"Estoque atual: muitos"),
            Mensagem::Outra("Estoque atual: muitos".into())
        );
        assert_eq!(Mensagem::interpretar(b"\xff\x1b[2J").to_string(), "\u{fffd}\\u{1b}[2J");
        assert_eq!(visivel("disse \"oi\"\n"), "disse \"oi\"\\n");
    }
}
