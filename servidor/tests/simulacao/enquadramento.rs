//! O enquadramento outra vez, de byte em byte e do modo mais simples que há: a abertura de uma conexão se
//! relê inteira a cada byte, e uma linha só se olha quando termina.

use protocolo::LINHA_MAXIMA;

/// O que sai do enquadramento, guardado.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saida {
    Completa(Vec<u8>),
    LongaDemais,
    Tls,
}

/// O que uma conexão mandou e ainda não é uma linha.
#[derive(Debug, Default)]
pub struct Enquadramento {
    /// Tudo o que veio antes do primeiro byte de texto.
    abertura: Vec<u8>,
    em_texto: bool,
    linha: Vec<u8>,
    perdido: bool,
}

/// Como está uma abertura.
#[derive(Debug, PartialEq, Eq)]
enum Ate {
    /// Só sequências inteiras.
    Entre,
    /// A última ficou pela metade.
    NoMeio,
    /// O texto começa aqui.
    Texto(usize),
}

impl Enquadramento {
    /// Mais um byte; talvez complete uma linha.
    pub fn byte(&mut self, byte: u8) -> Option<Saida> {
        if self.em_texto {
            return self.texto(byte);
        }
        self.abertura.push(byte);
        let Ate::Texto(onde) = ate_onde(&self.abertura) else { return None };
        self.em_texto = true;
        let texto = self.abertura.split_off(onde);
        texto.into_iter().fold(None, |antes, byte| self.texto(byte).or(antes))
    }

    fn texto(&mut self, byte: u8) -> Option<Saida> {
        if self.perdido {
            return None;
        }
        if byte == b'\n' || byte == 0 && self.o_nul_termina() {
            return self.fim_da_linha();
        }
        self.linha.push(byte);
        let ultima = if self.linha == b"\x16\x03" {
            Saida::Tls
        } else if self.linha.len() - usize::from(byte == b'\r') > LINHA_MAXIMA {
            Saida::LongaDemais
        } else {
            return None;
        };
        self.perdido = true;
        self.linha.clear();
        Some(ultima)
    }

    fn o_nul_termina(&self) -> bool {
        let palavra = aparada(&self.linha).to_ascii_uppercase();
        let inteira: [&[u8]; 5] = [b"", b"CONSULTAR", b"COMPRAR", b"AJUDA", b"SAIR"];
        let pedido = palavra.strip_prefix(b"PEDIDO").is_some_and(|resto| {
            let id = resto.trim_ascii_start();
            id.len() < resto.len() && e_id(id)
        });
        inteira.contains(&&palavra[..]) || pedido || self.linha.last() == Some(&0)
    }

    fn fim_da_linha(&mut self) -> Option<Saida> {
        let linha = aparada(&std::mem::take(&mut self.linha)).to_vec();
        (!linha.is_empty()).then_some(Saida::Completa(linha))
    }

    /// O socket secou: a palavra solta vale.
    pub fn secou(&mut self) -> Option<Saida> {
        let palavra = aparada(&self.linha).to_ascii_uppercase();
        let vale = palavra == b"CONSULTAR" || palavra == b"COMPRAR";
        if vale { self.fim_da_linha() } else { None }
    }

    /// Há algo começado e não terminado?
    pub fn no_meio(&self) -> bool {
        !aparada(&self.linha).is_empty()
            || !self.em_texto && ate_onde(&self.abertura) == Ate::NoMeio
    }

    /// Quantos bytes de uma linha que não terminou há aqui, os brancos inclusive.
    pub fn guarda(&self) -> usize {
        self.linha.len()
    }
}

/// Até onde vão as negociações de telnet (RFC 854) e a marca de UTF-8.
fn ate_onde(bytes: &[u8]) -> Ate {
    if bytes.len() > LINHA_MAXIMA {
        return Ate::Texto(LINHA_MAXIMA);
    }
    let mut i = 0;
    while i < bytes.len() {
        i += match &bytes[i..] {
            [0xEF, 0xBB, 0xBF, ..] => 3,
            [0xEF] | [0xEF, 0xBB] | [255] | [255, 251..=254] => return Ate::NoMeio,
            [255, 240..=249, ..] => 2,
            [255, 251..=254, _, ..] => 3,
            [255, 250, dentro @ ..] => match fim_da_subnegociacao(dentro) {
                Some(fim) => 2 + fim,
                None => return Ate::NoMeio,
            },
            _ => return Ate::Texto(i),
        };
    }
    Ate::Entre
}

/// Depois do primeiro IAC SE; um IAC seguido de outra coisa é parte do que se negocia.
fn fim_da_subnegociacao(dentro: &[u8]) -> Option<usize> {
    let mut i = 0;
    while i + 1 < dentro.len() {
        match (dentro[i], dentro[i + 1]) {
            (255, 240) => return Some(i + 2),
            (255, _) => i += 2,
            _ => i += 1,
        }
    }
    None
}

/// De 1 a 64 caracteres que se veem.
pub fn e_id(id: &[u8]) -> bool {
    (1..=64).contains(&id.len()) && id.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn aparada(linha: &[u8]) -> &[u8] {
    let branco = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let de = linha.iter().position(|byte| !branco(byte)).unwrap_or(linha.len());
    let ate = linha.iter().rposition(|byte| !branco(byte)).map_or(de, |ultimo| ultimo + 1);
    &linha[de..ate]
}
