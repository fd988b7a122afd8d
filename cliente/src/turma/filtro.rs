//! O filtro: as chamadas ao sistema que o programa do aluno não faz, porque gastariam memória que não é de nenhum
//! processo, e que por isso o [`vigia`](super::vigia) não vê, ou sairiam da rede da cela. É um programa do BPF clássico,
//! que o sistema executa a cada chamada e o bubblewrap lê de um descritor.
//!
//! Recusa-se como um sistema que não tem a chamada: quem a usa por gosto tem outra.

/// Uma instrução: o código, quantas se pulam se sim e se não, e o valor.
type Instrucao = (u16, u8, u8, u32);

/// O que muda de um processador para outro: como se chama, e os números de `memfd_create`, `shmget` e `socket`.
#[cfg(target_arch = "x86_64")]
const CHAMADAS: Option<[u32; 4]> = Some([0xC000_003E, 319, 29, 41]);
#[cfg(target_arch = "aarch64")]
const CHAMADAS: Option<[u32; 4]> = Some([0xC000_00B7, 279, 194, 198]);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CHAMADAS: Option<[u32; 4]> = None;

/// Quanto pode ter um bloco de memória do System V: chega a um estoque, e o sistema só dá 4096 deles.
const BLOCO: u32 = 256 * 1024;

const LER: u16 = 0x20;
const IGUAL: u16 = 0x15;
const MAIOR: u16 = 0x25;
const MAIOR_OU_IGUAL: u16 = 0x35;
const CONCLUIR: u16 = 0x06;

/// As conclusões: onde estão no programa, e o que dizem ao sistema.
const PERMITE: (u8, u32) = (16, 0x7FFF_0000);
const NAO_HA: (u8, u32) = (17, 0x0005_0000 | 38);
const GRANDE: (u8, u32) = (18, 0x0005_0000 | 22);
const OUTRA_REDE: (u8, u32) = (19, 0x0005_0000 | 97);

/// O programa; vazio, em um processador de que não se sabem os números.
fn programa() -> Vec<Instrucao> {
    let Some([processador, memfd, shmget, socket]) = CHAMADAS else { return Vec::new() };
    // Daqui, da instrução `aqui`, até a conclusão.
    let ate = |(onde, _): (u8, u32), aqui: u8| onde - aqui - 1;
    let concluir = |(_, conclusao)| (CONCLUIR, 0, 0, conclusao);
    vec![
        (LER, 0, 0, 4),
        (IGUAL, 0, ate(NAO_HA, 1), processador),
        (LER, 0, 0, 0),
        // Os números de outra numeração, que o mesmo processador também entende.
        (MAIOR_OU_IGUAL, ate(NAO_HA, 3), 0, 0x4000_0000),
        (IGUAL, ate(NAO_HA, 4), 0, memfd),
        (IGUAL, 6, 0, shmget),
        (IGUAL, 0, ate(PERMITE, 6), socket),
        // De um socket, a família: as de UNIX, IPv4, IPv6 e as perguntas ao próprio sistema.
        (LER, 0, 0, 16),
        (IGUAL, ate(PERMITE, 8), 0, 1),
        (IGUAL, ate(PERMITE, 9), 0, 2),
        (IGUAL, ate(PERMITE, 10), 0, 10),
        (IGUAL, ate(PERMITE, 11), ate(OUTRA_REDE, 11), 16),
        // De um bloco de memória, o tamanho: a metade alta, e a baixa.
        (LER, 0, 0, 28),
        (IGUAL, 0, ate(GRANDE, 13), 0),
        (LER, 0, 0, 24),
        (MAIOR, ate(GRANDE, 15), ate(PERMITE, 15), BLOCO),
        concluir(PERMITE),
        concluir(NAO_HA),
        concluir(GRANDE),
        concluir(OUTRA_REDE),
    ]
}

/// O que o bash executa para abrir a cela com o filtro no descritor 3.
pub fn abrir_com_filtro() -> String {
    let em_octal = |byte: u8| format!("\\{byte:03o}");
    let bytes = programa().into_iter().flat_map(|(codigo, sim, nao, valor)| {
        let [baixo, alto] = codigo.to_ne_bytes();
        [baixo, alto, sim, nao].into_iter().chain(valor.to_ne_bytes())
    });
    let filtro: String = bytes.map(em_octal).collect();
    match filtro.as_str() {
        "" => r#"exec bwrap "$@""#.into(),
        // Em dois passos, para que o bash feche o cano de que o descritor é cópia.
        _ => format!(r#"exec 3< <(printf '{filtro}'); exec bwrap --seccomp 3 "$@""#),
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn cada_salto_cai_dentro_do_programa_e_ele_acaba_nas_conclusoes() {
        let programa = programa();
        for (aqui, (codigo, sim, nao, _)) in programa.iter().enumerate() {
            let maior = usize::from(*sim.max(nao));
            assert!(*codigo == CONCLUIR || aqui + 1 + maior < programa.len(), "{aqui}");
        }
        for (onde, conclusao) in [PERMITE, NAO_HA, GRANDE, OUTRA_REDE] {
            let la = programa.get(usize::from(onde));
            assert!(la.is_none_or(|la| *la == (CONCLUIR, 0, 0, conclusao)), "{la:?}");
        }
    }
}
