//! Os buffers de quem já ouviu tudo, à espera das próximas respostas: pedir memória e devolvê-la a cada resposta
//! custava mais do que escrevê-la.
//!
//! Servem a todas as conexões, e são poucos: uma conexão parada continua a não guardar nenhum.

use crate::conexao::SAIDA_MAXIMA;

/// Quantos se guardam; com [`SAIDA_MAXIMA`] de cada um, é o máximo que isto ocupa.
const GUARDADAS: usize = 64;

/// As saídas vazias.
#[derive(Debug, Default)]
pub struct Saidas(Vec<Vec<u8>>);

impl Saidas {
    /// Uma vazia, com a memória de uma que já serviu, se há.
    pub fn emprestar(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    /// Esta já foi dita inteira.
    pub fn devolver(&mut self, mut saida: Vec<u8>) {
        if self.0.len() < GUARDADAS && saida.capacity() <= SAIDA_MAXIMA {
            saida.clear();
            self.0.push(saida);
        }
    }
}
