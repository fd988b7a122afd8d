//! O estoque: o estado compartilhado da atividade (§3.1).
//!
//! Pura: não conhece socket, relógio nem thread. Só há uma `Loja`, com um só dono, e vender exige
//! `&mut Loja`; o compilador garante que ninguém mais olha para o estoque entre o teste e o
//! desconto. É a seção crítica do enunciado, sem `Lock` porque não há com quem disputar.

use std::net::SocketAddr;

use protocolo::{Comando, Resposta};

/// Uma unidade vendida, ainda não anunciada.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Venda {
    /// Quem comprou.
    pub endereco: SocketAddr,
    /// Unidades que sobraram depois desta.
    pub restante: u64,
}

/// O estoque e a conta do que se fez com ele.
#[derive(Debug)]
pub struct Loja {
    estoque: u64,
    vendas: u64,
    recusas: u64,
}

impl Loja {
    /// Uma loja com `estoque` unidades à venda.
    pub fn nova(estoque: u64) -> Self {
        Loja { estoque, vendas: 0, recusas: 0 }
    }

    /// Executa um comando e dá a resposta do protocolo (§3.2).
    ///
    /// `Compra { restante: 0 }` sai uma única vez: é o instante em que o estoque esgota.
    pub fn atender(&mut self, comando: &Comando) -> Resposta {
        match comando {
            Comando::Consultar => Resposta::Estoque(self.estoque),
            Comando::Comprar => self.vender(),
            Comando::Ajuda => Resposta::Ajuda,
            Comando::Sair => Resposta::Despedida,
            Comando::Http(_) | Comando::Tls => Resposta::OutroProtocolo,
            Comando::LinhaLonga => Resposta::LinhaLonga,
            Comando::Desconhecido(_) => Resposta::Desconhecido,
        }
    }

    fn vender(&mut self) -> Resposta {
        let Some(restante) = self.estoque.checked_sub(1) else {
            self.recusas += 1;
            return Resposta::Esgotado;
        };
        self.estoque = restante;
        self.vendas += 1;
        Resposta::Compra { restante }
    }

    /// Quem guarda o estoque diz que há isto à venda.
    pub fn ver(&mut self, estoque: u64) {
        self.estoque = estoque;
    }

    /// Unidades à venda.
    pub fn estoque(&self) -> u64 {
        self.estoque
    }

    /// Unidades vendidas desde que a loja abriu.
    pub fn vendas(&self) -> u64 {
        self.vendas
    }

    /// Compras recusadas por falta de estoque.
    pub fn recusas(&self) -> u64 {
        self.recusas
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vende_ate_acabar_e_nunca_mais() {
        let mut loja = Loja::nova(2);
        assert_eq!(loja.atender(&Comando::Consultar), Resposta::Estoque(2));
        assert_eq!(loja.atender(&Comando::Comprar), Resposta::Compra { restante: 1 });
        assert_eq!(loja.atender(&Comando::Comprar), Resposta::Compra { restante: 0 });
        assert_eq!(loja.atender(&Comando::Comprar), Resposta::Esgotado);
        assert_eq!(loja.atender(&Comando::Consultar), Resposta::Estoque(0));
        assert_eq!((loja.vendas(), loja.recusas()), (2, 1));
    }

    proptest! {
        #[test]
        fn vendido_mais_restante_e_sempre_o_inicial(
            inicial in prop_oneof![0u64..40, Just(u64::MAX)],
            compras in 0u64..80,
        ) {
            let mut loja = Loja::nova(inicial);
            for n in 0..compras {
                let esperada = match inicial.checked_sub(n + 1) {
                    Some(restante) => Resposta::Compra { restante },
                    None => Resposta::Esgotado,
                };
                prop_assert_eq!(loja.atender(&Comando::Comprar), esperada);
                prop_assert_eq!(loja.vendas() + loja.estoque(), inicial);
            }
            prop_assert_eq!(loja.recusas(), compras.saturating_sub(inicial));
        }
    }
}
