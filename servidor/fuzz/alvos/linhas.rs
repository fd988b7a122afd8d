//! O enquadramento contra um modelo que vai de byte em byte, o da simulação.
//!
//! A entrada é uma sequência de pedaços, que se delimita sozinha: um byte de cabeça e os bytes do
//! pedaço. Os seis bits baixos da cabeça dizem quantos são; com o bit 6, o byte seguinte diz
//! quantas vezes a mais eles se repetem, porque uma linha longa custa caro a quem a inventa letra a
//! letra; com o bit 7, a fonte seca depois do pedaço.
//!
//! Aqui não se sabe o que um comando quer dizer, só quais palavras valem sem fim de linha.

use protocolo::{LINHA_MAXIMA, Linha, Linhas};

use crate::enquadramento::{Enquadramento, Saida};

impl Saida {
    fn de(linha: Linha<'_>) -> Self {
        match linha {
            Linha::Completa(bytes) => Saida::Completa(bytes.to_vec()),
            Linha::LongaDemais => Saida::LongaDemais,
            Linha::Tls => Saida::Tls,
        }
    }

    /// Depois desta, o fluxo não entrega mais nada.
    fn e_a_ultima(&self) -> bool {
        matches!(self, Saida::LongaDemais | Saida::Tls)
    }
}

/// Qualquer entrada: o enquadramento e o modelo concordam depois de cada pedaço.
pub fn experimentar(mut bytes: &[u8]) {
    let (mut linhas, mut modelo) = (Linhas::default(), Enquadramento::default());
    let mut acabou = false;
    while let Some((pedaco, secar)) = proximo_pedaco(&mut bytes) {
        let (mut deu, mut devia) = (Vec::new(), Vec::new());
        let mut chegaram = &pedaco[..];
        while let Some(linha) = linhas.proxima(&mut chegaram) {
            deu.push(Saida::de(linha));
        }
        devia.extend(pedaco.iter().filter_map(|byte| modelo.byte(*byte)));
        if secar {
            while let Some(linha) = linhas.secou() {
                deu.push(Saida::de(linha));
            }
            devia.extend(modelo.secou());
        }
        assert_eq!(deu, devia, "depois de {:?}", pedaco.escape_ascii().to_string());
        assert_eq!(linhas.incompleta(), modelo.no_meio(), "a linha começada");
        conferir_os_limites(&deu, &mut acabou);
    }
}

/// O que vale sem modelo nenhum.
fn conferir_os_limites(deu: &[Saida], acabou: &mut bool) {
    for saida in deu {
        assert!(!*acabou, "{saida:?} saiu depois da última");
        *acabou = saida.e_a_ultima();
        if let Saida::Completa(linha) = saida {
            assert!(!linha.is_empty(), "uma linha vazia não se entrega");
            // O CR do fim de linha não conta no limite, e aparado não sobra.
            assert!(linha.len() <= LINHA_MAXIMA, "{} bytes", linha.len());
            let branco = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
            let pontas = [linha.first(), linha.last()];
            assert!(!pontas.into_iter().flatten().any(branco), "a linha vem aparada");
            assert!(!linha.contains(&b'\n'), "uma linha é uma só");
        }
    }
}

/// O próximo pedaço, e se a fonte seca depois dele.
fn proximo_pedaco(bytes: &mut &[u8]) -> Option<(Vec<u8>, bool)> {
    let cabeca = *bytes.split_off_first()?;
    let vezes = if cabeca & 0x40 == 0 { 0 } else { usize::from(*bytes.split_off_first()?) };
    let quantos = usize::from(cabeca & 0x3F).min(bytes.len());
    let pedaco = bytes.split_off(..quantos)?;
    Some((pedaco.repeat(1 + vezes), cabeca & 0x80 != 0))
}
