//! As respostas a um mesmo comando, pedido muitas vezes seguidas: quem compra sem parar ouve sempre a mesma frase,
//! com uma unidade a menos.
//!
//! Só escreve. Quantas cabem antes de o estoque esgotar, quem sabe é a loja.

use crate::Resposta;

/// Uma resposta e quantas vezes se dá; se são de compras, cada uma tem uma unidade a menos do que a anterior.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seguidas {
    primeira: Resposta,
    vezes: usize,
    caem: bool,
}

impl Seguidas {
    /// A mesma, tantas vezes.
    pub fn iguais(primeira: Resposta, vezes: usize) -> Self {
        Seguidas { primeira, vezes, caem: false }
    }

    /// As de `pedidas` compras com `havia` unidades à venda: tantas quantas se podem vender.
    pub fn compras(havia: u64, pedidas: usize) -> Self {
        let vendidas = usize::try_from(havia).unwrap_or(usize::MAX).min(pedidas);
        let primeira = Resposta::Compra { restante: havia.saturating_sub(1) };
        Seguidas { primeira, vezes: vendidas, caem: true }
    }

    /// A primeira.
    pub fn primeira(&self) -> Resposta {
        self.primeira
    }

    /// Quantas são.
    pub fn vezes(&self) -> usize {
        self.vezes
    }

    /// Acrescenta todas a `saida`, uma por linha.
    pub fn escrever(&self, saida: &mut Vec<u8>) {
        let inicio = saida.len();
        self.primeira.escrever(saida);
        self.continuar(inicio, saida);
    }

    /// A primeira já está em `saida`, no fim de uma linha que começa em `inicio`; acrescenta as outras, com o mesmo
    /// que há antes dela.
    ///
    /// Cada linha é uma cópia da anterior, e copiam-se muitas de uma vez: as de uma dezena só diferem no último
    /// algarismo. Custa bem menos do que escrevê-las.
    pub fn continuar(&self, mut inicio: usize, saida: &mut Vec<u8>) {
        let mut faltam = self.vezes.saturating_sub(1);
        if !self.caem {
            return copiar(inicio, faltam, saida);
        }
        while faltam > 0 {
            let linha = saida.len() - inicio;
            let unidades = saida[saida.len() - FIM] - b'0';
            let nesta_dezena = faltam.min(unidades.into());
            copiar(inicio, nesta_dezena, saida);
            for (outra, copia) in (1..).zip(saida[inicio + linha..].chunks_exact_mut(linha)) {
                copia[linha - FIM] -= outra;
            }
            faltam -= nesta_dezena;
            inicio += nesta_dezena * linha;
            if faltam > 0 {
                copiar(inicio, 1, saida);
                tirar_um(saida);
                faltam -= 1;
                inicio += linha;
            }
        }
    }
}

/// A quantos bytes do fim de uma linha está o último algarismo do número dela: entre ele e o fim, só o LF.
const FIM: usize = 2;

/// Acrescenta tantas cópias da linha que vai de `inicio` até o fim, dobrando as que já há.
fn copiar(inicio: usize, vezes: usize, saida: &mut Vec<u8>) {
    let fim = saida.len() + vezes * (saida.len() - inicio);
    while saida.len() < fim {
        let bastam = (saida.len() - inicio).min(fim - saida.len());
        saida.extend_from_within(inicio..inicio + bastam);
    }
}

/// O número no fim da última linha passa a ser o anterior.
fn tirar_um(linhas: &mut Vec<u8>) {
    let ultimo = linhas.len() - FIM;
    let mut algarismo = ultimo;
    while linhas[algarismo] == b'0' {
        linhas[algarismo] = b'9';
        algarismo -= 1;
    }
    linhas[algarismo] -= 1;
    // Depois de 100, é 99 e não 099.
    if algarismo < ultimo && linhas[algarismo] == b'0' && linhas[algarismo - 1] == b' ' {
        linhas.remove(algarismo);
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    /// O que diriam as respostas, escritas uma a uma.
    fn uma_a_uma(havia: u64, vezes: usize) -> Vec<u8> {
        let mut saida = Vec::new();
        for restante in (0..havia).rev().take(vezes) {
            saida.extend_from_slice(b"alguem -> ");
            Resposta::Compra { restante }.escrever(&mut saida);
        }
        saida
    }

    fn seguidas(havia: u64, vezes: usize) -> Vec<u8> {
        let respostas = Seguidas::compras(havia, vezes);
        let mut saida = b"alguem -> ".to_vec();
        respostas.primeira().escrever(&mut saida);
        respostas.continuar(0, &mut saida);
        saida
    }

    #[test]
    fn as_iguais_nao_mudam_nem_se_sao_de_uma_compra() {
        let mut saida = Vec::new();
        Seguidas::iguais(Resposta::Compra { restante: 1 }, 6).escrever(&mut saida);
        assert_eq!(saida, b"Compra realizada. Estoque restante: 1\n".repeat(6));
    }

    proptest! {
        #[test]
        fn as_de_compras_seguidas_sao_as_mesmas_que_uma_a_uma(
            havia in prop_oneof![
                1u64..300, 9_990u64..10_050, 999_995u64..1_000_050, (u64::MAX - 60)..=u64::MAX
            ],
            vezes in 1usize..130,
        ) {
            prop_assert_eq!(seguidas(havia, vezes), uma_a_uma(havia, vezes));
        }
    }
}
