//! Bytes viram linhas: o enquadramento, com limite de memória.
//!
//! O TCP entrega uma sequência de bytes, não mensagens: um `COMPRAR` pode chegar em três pedaços, e
//! três comandos em um pedaço só. E os clientes de sala de aula mandam `COMPRAR` *sem* fim de linha
//! e ficam esperando a resposta. As regras que atendem a todos:
//!
//! 1. Uma linha termina em LF; um CR antes dele sai; brancos ASCII em volta saem.
//! 2. Uma linha vazia não tem resposta.
//! 3. Quando a fonte secou e o que sobrou é *exatamente* `CONSULTAR` ou `COMPRAR`, a palavra vale na
//!    hora. O fim de linha que chegar depois é só uma linha vazia.
//! 4. Qualquer outra coisa precisa do fim de linha.
//! 5. Uma linha tem no máximo [`LINHA_MAXIMA`] bytes; depois disso o fluxo está perdido.
//! 6. Uma linha que começa como um aperto de mãos do TLS não é texto: o fluxo também está perdido.
//!
//! A regra 3 tem um preço, e só ele: se o TCP cortar `COMPRAR 2` logo depois do `R`, a compra vale e
//! ` 2` vira uma linha errada. Por isso nenhum verbo pode começar com aquelas duas palavras.
//!
//! Este módulo não interpreta comandos e não lê de lugar nenhum.

use crate::{Comando, LINHA_MAXIMA};

/// O que sai do enquadramento.
#[derive(Debug, PartialEq, Eq)]
pub enum Linha<'a> {
    /// Uma linha não vazia, sem o fim e sem brancos em volta.
    Completa(&'a [u8]),
    /// A linha passou de [`LINHA_MAXIMA`]. É a última coisa que este fluxo entrega.
    LongaDemais,
    /// Do outro lado há quem fale TLS. Também é a última coisa: o resto são bytes cifrados, com um
    /// LF aqui e ali por acaso.
    Tls,
}

/// Como começa o primeiro registro de uma conexão TLS, de qualquer versão: um aperto de mãos (22),
/// da versão 3.alguma coisa (RFC 8446, 5.1).
const COMECO_DO_TLS: [u8; 2] = [22, 3];

/// O enquadramento de uma conexão. Guarda só a linha que ainda não terminou: uma conexão que manda
/// linhas inteiras não ocupa memória aqui.
#[derive(Debug, Default)]
pub struct Linhas {
    resto: Vec<u8>,
    perdido: bool,
}

impl Linhas {
    /// Recebe os próximos bytes do fluxo e entrega, na ordem, cada linha que eles completam.
    pub fn receber(&mut self, mut bytes: &[u8], mut entregar: impl FnMut(Linha<'_>)) {
        while !self.perdido {
            let fim = bytes.iter().position(|&b| b == b'\n');
            let pedaco = &bytes[..fim.unwrap_or(bytes.len())];
            if self.comeca_como_tls(pedaco) {
                return self.perder(Linha::Tls, entregar);
            }
            if !self.cabe(pedaco) {
                return self.perder(Linha::LongaDemais, entregar);
            }
            let Some(fim) = fim else {
                return self.resto.extend_from_slice(pedaco);
            };
            bytes = &bytes[fim + 1..];
            if self.resto.is_empty() {
                entregar_aparada(pedaco, &mut entregar);
            } else {
                self.resto.extend_from_slice(pedaco);
                entregar_aparada(&self.resto, &mut entregar);
                self.resto.clear();
            }
        }
    }

    /// A fonte secou: se o que sobrou é uma palavra que vale sem fim de linha, entrega-a (regra 3).
    pub fn secou(&mut self, mut entregar: impl FnMut(Linha<'_>)) {
        if Comando::vale_sem_fim_de_linha(self.resto.trim_ascii()) {
            entregar_aparada(&self.resto, &mut entregar);
            self.resto.clear();
        }
    }

    /// Há uma linha começada e não terminada? Só brancos não contam: é o que sobra quando o fim de
    /// linha de uma palavra solta chega depois dela.
    pub fn incompleta(&self) -> bool {
        !self.resto.trim_ascii().is_empty()
    }

    /// Com este pedaço, a linha passa a começar como um aperto de mãos?
    fn comeca_como_tls(&self, pedaco: &[u8]) -> bool {
        match self.resto[..] {
            [] => pedaco.starts_with(&COMECO_DO_TLS),
            [unico] => unico == COMECO_DO_TLS[0] && pedaco.first() == Some(&COMECO_DO_TLS[1]),
            _ => false,
        }
    }

    fn perder(&mut self, porque: Linha<'static>, mut entregar: impl FnMut(Linha<'_>)) {
        self.perdido = true;
        self.resto = Vec::new();
        entregar(porque);
    }

    /// O resto mais este pedaço ainda cabem em uma linha? Um CR no fim não conta: pode ser do CRLF.
    fn cabe(&self, pedaco: &[u8]) -> bool {
        let ultimo = pedaco.last().or(self.resto.last());
        let cr = usize::from(ultimo == Some(&b'\r'));
        self.resto.len() + pedaco.len() - cr <= LINHA_MAXIMA
    }
}

fn entregar_aparada(linha: &[u8], entregar: &mut impl FnMut(Linha<'_>)) {
    let aparada = linha.trim_ascii();
    if !aparada.is_empty() {
        entregar(Linha::Completa(aparada));
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    /// Passa cada pedaço pelo enquadramento, secando a fonte entre um e outro, e anota o que saiu.
    fn enquadrar<'a>(pedacos: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut linhas = Linhas::default();
        let mut saida = Vec::new();
        for pedaco in pedacos {
            let mut anotar = |linha: Linha<'_>| {
                saida.push(match linha {
                    Linha::Completa(bytes) => bytes.escape_ascii().to_string(),
                    Linha::LongaDemais => "<longa>".into(),
                    Linha::Tls => "<tls>".into(),
                });
            };
            linhas.receber(pedaco, &mut anotar);
            linhas.secou(&mut anotar);
        }
        saida
    }

    #[test]
    fn lf_crlf_brancos_e_linhas_vazias() {
        assert_eq!(
            enquadrar([&b"CONSULTAR\n\n \t \n  comprar \r\n\r\nAJUDA\r\n"[..]]),
            ["CONSULTAR", "comprar", "AJUDA"]
        );
    }

    #[test]
    fn a_palavra_solta_vale_na_hora_e_o_fim_de_linha_atrasado_e_vazio() {
        assert_eq!(enquadrar([&b"COMPRAR"[..]]), ["COMPRAR"]);
        assert_eq!(
            enquadrar([&b"COMPRAR"[..], b"\r\n", b"consultar\r", b"\n"]),
            ["COMPRAR", "consultar"]
        );
        assert_eq!(enquadrar([&b"COMPRAR"[..], b"COMPRAR"]), ["COMPRAR", "COMPRAR"]);
    }

    #[test]
    fn o_que_nao_e_exatamente_a_palavra_espera_o_fim_de_linha() {
        assert_eq!(enquadrar([&b"COMPR"[..], b"AR\n"]), ["COMPRAR"]);
        assert!(enquadrar([&b"AJUDA"[..]]).is_empty());
        assert!(enquadrar([&b"CONSULTARCOMPRAR"[..]]).is_empty());
    }

    #[test]
    fn o_limite_conta_a_linha_e_nao_o_seu_fim() {
        let cheia = "x".repeat(LINHA_MAXIMA);
        for fim in ["\n", "\r\n"] {
            assert_eq!(enquadrar([format!("{cheia}{fim}").as_bytes()]), [cheia.as_str()]);
            assert_eq!(enquadrar([format!("{cheia}y{fim}").as_bytes()]), ["<longa>"]);
        }
        // Sem fim de linha, avisa assim que passa, uma vez, e nada mais sai.
        assert_eq!(enquadrar([cheia.as_bytes(), b"y", b"\nCOMPRAR\n", b"COMPRAR"]), ["<longa>"]);
    }

    #[test]
    fn um_aperto_de_maos_do_tls_e_a_ultima_coisa() {
        let aperto = b"\x16\x03\x01\x02\x00\x01\n\x16\x03\nCOMPRAR\n";
        assert_eq!(enquadrar([&aperto[..]]), ["<tls>"]);
        assert_eq!(enquadrar([&b"CONSULTAR\n\x16"[..], &aperto[1..]]), ["CONSULTAR", "<tls>"]);
        // Só o começo de uma linha, e os dois bytes.
        assert_eq!(enquadrar([&b"\x16\n\x03\nx\x16\x03\n"[..]]), ["\\x16", "\\x03", "x\\x16\\x03"]);
    }

    #[test]
    fn so_a_linha_inacabada_ocupa_memoria() {
        let mut linhas = Linhas::default();
        linhas.receber(b"CONSULTAR\nCOMPRAR\n", |_| ());
        assert_eq!(linhas.resto.capacity(), 0);
        assert!(!linhas.incompleta());
        linhas.receber(b" \r", |_| ());
        assert!(!linhas.incompleta());
        linhas.receber(b"COMP", |_| ());
        assert!(linhas.incompleta());
        linhas.receber(&[b'x'; 100_000], |_| ());
        assert_eq!(linhas.resto.capacity(), 0);
    }

    /// Linhas de toda sorte, menos as que começam com uma palavra que vale sozinha e continuam:
    /// para essas a regra 3 depende do corte, e a documentação do módulo o confessa.
    fn linha_qualquer() -> impl Strategy<Value = Vec<u8>> {
        let texto = prop_oneof![
            Just(b"CONSULTAR".to_vec()),
            Just(b" comprar ".to_vec()),
            Just(b"AJUDA".to_vec()),
            Just(b"".to_vec()),
            Just(vec![b' '; 600]),
            Just(vec![b'z'; LINHA_MAXIMA]),
            Just(vec![b'z'; LINHA_MAXIMA + 1]),
            Just(b"\x16\x03\x01\x00".to_vec()),
            proptest::collection::vec(any::<u8>().prop_filter("LF", |b| *b != b'\n'), 0..40),
        ];
        let solta = |linha: &Vec<u8>| {
            let inicio = linha.trim_ascii_start().to_ascii_uppercase();
            let sozinha = Comando::vale_sem_fim_de_linha(linha.trim_ascii());
            sozinha || !(inicio.starts_with(b"CONSULTAR") || inicio.starts_with(b"COMPRAR"))
        };
        (
            texto.prop_filter("continua depois da palavra", solta),
            prop_oneof![Just("\n"), Just("\r\n")],
        )
            .prop_map(|(mut linha, fim)| {
                linha.extend_from_slice(fim.as_bytes());
                linha
            })
    }

    proptest! {
        #[test]
        fn qualquer_corte_da_as_mesmas_linhas(
            linhas in proptest::collection::vec(linha_qualquer(), 0..12),
            cortes in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let fluxo = linhas.concat();
            let mut cortes: Vec<usize> = cortes.iter().map(|c| c.index(fluxo.len() + 1)).collect();
            cortes.extend([0, fluxo.len()]);
            cortes.sort_unstable();
            let pedacos = cortes.windows(2).map(|c| &fluxo[c[0]..c[1]]);
            prop_assert_eq!(enquadrar(pedacos), enquadrar([&fluxo[..]]));
        }
    }
}
