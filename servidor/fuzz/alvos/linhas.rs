//! O enquadramento contra um modelo que vai de byte em byte.
//!
//! A entrada é uma sequência de pedaços, que se delimita sozinha: um byte de cabeça e os bytes do
//! pedaço. Os seis bits baixos da cabeça dizem quantos são; com o bit 6, o byte seguinte diz
//! quantas vezes a mais eles se repetem, porque uma linha longa custa caro a quem a inventa letra a
//! letra; com o bit 7, a fonte seca depois do pedaço.
//!
//! Aqui não se sabe o que um comando quer dizer, só quais palavras valem sem fim de linha.

use protocolo::{LINHA_MAXIMA, Linha, Linhas};

/// O que sai do enquadramento, em bytes próprios.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Saida {
    Completa(Vec<u8>),
    LongaDemais,
    Tls,
}

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

/// As regras de `protocolo::linhas`, do modo mais simples que há.
#[derive(Default)]
struct Modelo {
    linha: Vec<u8>,
    acabou: bool,
}

impl Modelo {
    fn chega(&mut self, byte: u8, saidas: &mut Vec<Saida>) {
        if self.acabou {
            return;
        }
        if byte == b'\n' {
            return self.termina(saidas);
        }
        self.linha.push(byte);
        if self.linha == b"\x16\x03" {
            self.acaba(Saida::Tls, saidas);
        } else if self.linha.len() - usize::from(byte == b'\r') > LINHA_MAXIMA {
            self.acaba(Saida::LongaDemais, saidas);
        }
    }

    fn acaba(&mut self, ultima: Saida, saidas: &mut Vec<Saida>) {
        self.linha.clear();
        self.acabou = true;
        saidas.push(ultima);
    }

    fn seca(&mut self, saidas: &mut Vec<Saida>) {
        let palavra = self.linha.trim_ascii().to_ascii_uppercase();
        if palavra == b"CONSULTAR" || palavra == b"COMPRAR" {
            self.termina(saidas);
        }
    }

    fn termina(&mut self, saidas: &mut Vec<Saida>) {
        let linha = std::mem::take(&mut self.linha).trim_ascii().to_vec();
        if !linha.is_empty() {
            saidas.push(Saida::Completa(linha));
        }
    }

    fn comecou(&self) -> bool {
        self.linha.iter().any(|byte| !byte.is_ascii_whitespace())
    }
}

/// Qualquer entrada: o enquadramento e o modelo concordam depois de cada pedaço.
pub fn experimentar(mut bytes: &[u8]) {
    let (mut linhas, mut modelo) = (Linhas::default(), Modelo::default());
    let mut acabou = false;
    while let Some((pedaco, secar)) = proximo_pedaco(&mut bytes) {
        let (mut deu, mut devia) = (Vec::new(), Vec::new());
        let mut chegaram = &pedaco[..];
        while let Some(linha) = linhas.proxima(&mut chegaram) {
            deu.push(Saida::de(linha));
        }
        pedaco.iter().for_each(|byte| modelo.chega(*byte, &mut devia));
        if secar {
            while let Some(linha) = linhas.secou() {
                deu.push(Saida::de(linha));
            }
            modelo.seca(&mut devia);
        }
        assert_eq!(deu, devia, "depois de {:?}", pedaco.escape_ascii().to_string());
        assert_eq!(linhas.incompleta(), modelo.comecou(), "a linha começada");
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
            assert_eq!(linha.trim_ascii(), linha, "a linha vem aparada");
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
